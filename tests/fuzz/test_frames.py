"""Frames of any kind on an open socket: each is answered by nothing or by a right event, the connection
ends only where the protocol says so, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.fixtures.effort import examples
from tests.integration.voice_caller import new_session

from .frames import BETA, GA, VOICE_CALL, Frame, frames, outsized
from .target import Target

# Ends that a client may bring upon itself: too large a message.
TOO_LARGE = 1009
BETA_HEADER = {"OpenAI-Beta": "realtime=v1"}
PATHS = ["/v1/realtime?model=default", "/v1/realtime?intent=transcription"]
# What is found is told as it was found: every try at something smaller would be another round of calls.
HARD = settings(
    max_examples=examples(120),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


async def until(socket: ClientConnection, wanted: dict[str, Any]) -> None:
    """Read up to a message with these members. What comes from `/v1/realtime` is checked as it is read."""
    async with asyncio.timeout(15):
        while True:
            frame = await socket.recv()
            message = json.loads(frame) if isinstance(frame, str) else {}
            if wanted.items() <= message.items():
                return


async def talk(
    socket: ClientConnection, sent: list[Frame], probe: dict[str, Any], reply: dict[str, Any]
) -> None:
    """Send the frames, and see that the call still answers; or that it ended for a reason."""
    try:
        for frame in sent:
            await socket.send(frame)
        await socket.send(json.dumps(probe))
        await until(socket, reply)
    except ConnectionClosed:
        assert socket.close_code == TOO_LARGE, (socket.close_code, socket.close_reason)


async def talk_realtime(target: Target, path: str, beta: bool, sent: list[Frame], rude: bool) -> None:
    headers = BETA_HEADER if beta else {}
    address = target.socket_url + path
    async with connect(address, compression=None, max_size=None, additional_headers=headers) as socket:
        await talk(socket, sent, {"type": "input_audio_buffer.clear"}, {"type": "input_audio_buffer.cleared"})
        if rude:
            socket.transport.abort()


async def talk_voice_call(target: Target, session_id: str, sent: list[Frame], rude: bool) -> None:
    async with connect(f"{target.socket_url}/chat/voice_call", compression=None, max_size=None) as socket:
        await socket.send(json.dumps({"audio": "", "meta_info": {"session_id": session_id}}))
        await talk(socket, sent, {"audio": 5}, {"type": "error", "msg": "audio is not a string"})
        if rude:
            socket.transport.abort()


def ends_call(frame: Frame) -> bool:
    """Whether it may be one with `is_close`, after which a call of this protocol answers nothing."""
    return b"is_close" in (frame.encode(errors="replace") if isinstance(frame, str) else frame)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("beta", "events"), [(False, GA), (True, BETA)], ids=["ga", "beta"])
def test_no_frame_harms_a_realtime_call_or_another(
    target: Target, beta: bool, events: list[dict[str, Any]]
) -> None:
    with target.unharmed():

        @HARD
        @given(path=st.sampled_from(PATHS), sent=st.lists(frames(events), max_size=12), rude=st.booleans())
        def fuzz(path: str, sent: list[Frame], rude: bool) -> None:
            target.run(talk_realtime(target, path, beta, sent, rude))

        fuzz()


@pytest.mark.timeout(3600)
def test_no_frame_harms_a_voice_call_or_another(target: Target) -> None:
    with target.unharmed():

        @settings(HARD, max_examples=examples(60))
        @given(sent=st.lists(frames(VOICE_CALL), max_size=12), rude=st.booleans())
        def fuzz(sent: list[Frame], rude: bool) -> None:
            session_id = target.run(new_session(target.stack.url))["id"]
            # Frames that end the call by its own rules are for other tests.
            kept = [frame for frame in sent if not ends_call(frame)]
            target.run(talk_voice_call(target, session_id, kept, rude))

        fuzz()


@pytest.mark.timeout(3600)
def test_no_size_or_depth_of_a_frame_harms_anyone(target: Target) -> None:
    with target.unharmed():

        @settings(HARD, max_examples=examples(15))
        @given(beta=st.booleans(), sent=st.lists(outsized(COMMON_EVENTS), min_size=1, max_size=3))
        def fuzz(beta: bool, sent: list[Frame]) -> None:
            target.run(talk_realtime(target, PATHS[0], beta, sent, False))

        fuzz()


COMMON_EVENTS = [event for event in GA if event in BETA]
