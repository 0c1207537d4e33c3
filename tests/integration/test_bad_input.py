"""Wrong frames on a live socket: a clear error, and the call and the process go on."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dialtone.local.call.recording import Recording
from dialtone.local.state import StackState

from .voice_caller import new_session, voice_calling

SOUND = base64.b64encode(bytes(640)).decode()


def realtime(stack: StackState) -> connect:
    return connect(f"{stack.url.replace('http', 'ws', 1)}/v1/realtime?model=default", compression=None)


async def event(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


REALTIME_ERRORS = [
    ("not json", "invalid_json", None),
    ("[]", "invalid_json", None),
    ('{"no": "type"}', "invalid_event", "type"),
    ('{"type": "unheard_of"}', "invalid_value", "type"),
    ('{"type": "input_audio_buffer.append"}', "missing_required_parameter", "audio"),
    ('{"type": "input_audio_buffer.append", "audio": 5}', "invalid_type", "audio"),
    ('{"type": "input_audio_buffer.append", "audio": "?!"}', "invalid_value", "audio"),
    ('{"type": "input_audio_buffer.commit"}', "input_audio_buffer_commit_empty", None),
    ('{"type": "conversation.item.retrieve", "item_id": "x"}', "item_retrieve_invalid_item_id", "item_id"),
    ('{"type": "response.cancel"}', "response_cancel_not_active", None),
    ('{"type": "session.update", "session": 3}', "invalid_type", "session"),
    (
        '{"type": "session.update", "session": {"type": "realtime", "audio": '
        '{"input": {"turn_detection": {"type": "server_vad", "threshold": "loud"}}}}}',
        "invalid_type",
        "session.audio.input.turn_detection.threshold",
    ),
    ("[" * 5000, "invalid_json", None),
]


@pytest.mark.parametrize(("frame", "code", "param"), REALTIME_ERRORS)
async def test_a_wrong_realtime_frame_is_answered_by_name_and_the_call_goes_on(
    stack: StackState, frame: str, code: str, param: str | None
) -> None:
    async with realtime(stack) as socket:
        await event(socket, "session.created")
        await socket.send(frame)
        error = (await event(socket, "error"))["error"]
        assert error["code"] == code, error
        assert error["param"] == param, error
        assert error["message"]
        await socket.send('{"type": "input_audio_buffer.clear"}')
        await event(socket, "input_audio_buffer.cleared")


async def test_a_binary_realtime_frame_is_an_error_or_json_all_the_same(stack: StackState) -> None:
    async with realtime(stack) as socket:
        await event(socket, "session.created")
        await socket.send(b"\x00\xff\xfe")
        assert (await event(socket, "error"))["error"]["code"] == "invalid_json"


async def test_samples_cut_in_the_middle_are_put_together(stack: StackState) -> None:
    async with realtime(stack) as socket:
        await event(socket, "session.created")
        for size in (1, 4801, 2398):
            audio = base64.b64encode(bytes(size)).decode()
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        await socket.send('{"type": "input_audio_buffer.commit"}')
        await event(socket, "input_audio_buffer.committed")


@pytest.mark.parametrize("path", ["/v1/realtime?model=default", "/chat/voice_call"])
async def test_a_frame_over_the_limit_ends_that_connection_alone(stack: StackState, path: str) -> None:
    address = stack.url.replace("http", "ws", 1) + path
    async with connect(address, compression=None) as bystander:
        async with connect(address, compression=None) as socket:
            with suppress(ConnectionClosed):  # it may be refused before all of it is sent
                await socket.send("x" * 22_100_000)
            await asyncio.wait_for(socket.wait_closed(), 10)
            assert socket.close_code == 1009
        assert await asyncio.wait_for(await bystander.ping(), 5) >= 0


async def test_a_frame_that_is_large_and_no_audio_is_an_error_and_the_call_goes_on(stack: StackState) -> None:
    async with realtime(stack) as socket:
        await event(socket, "session.created")
        await socket.send("x" * 2_000_000)
        assert (await event(socket, "error"))["error"]["code"] == "event_too_large"
        await socket.send('{"type": "input_audio_buffer.clear"}')
        await event(socket, "input_audio_buffer.cleared")


async def test_an_unknown_session_cannot_be_resumed(stack: StackState) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"{stack.url.replace('http', 'ws', 1)}/v1/realtime?session_id=sess_nobody"):
            pytest.fail("it was let in")
    assert refused.value.response.status_code == 404
    assert b"session_not_found" in refused.value.response.body


def frame(**members: Any) -> str:
    return json.dumps(members)


VOICE_CALL_ERRORS = [
    ("not json", "wrong frame"),
    ("[1, 2]", "wrong frame"),
    (frame(audio=5), "audio is not a string"),
    (frame(audio="?!", meta_info={"encoding": "raw"}), "audio is not valid base64"),
    (frame(audio=SOUND, meta_info={"encoding": "opus"}), "unknown encoding 'opus', only 'raw' is known"),
    (frame(audio=SOUND, meta_info="x"), "meta_info is not an object"),
    (frame(audio=SOUND, is_close="no"), "is_close is not a boolean"),
    (frame(audio="A" * 300_000), "the frame is larger than 262144 bytes"),
    (frame(audio=SOUND, meta_info={"session_id": "another"}), "the call belongs to another session"),
]


@pytest.mark.parametrize(
    ("wrong", "message"), VOICE_CALL_ERRORS, ids=[message for _, message in VOICE_CALL_ERRORS]
)
async def test_a_wrong_voice_call_frame_is_answered_and_the_call_goes_on(
    stack: StackState, wrong: str, message: str
) -> None:
    session = await new_session(stack.url)
    async with voice_calling(stack.url, session["id"]) as caller:
        await caller.send(bytes(640))
        await caller.socket.send(wrong)
        assert await caller.error() == {"type": "error", "code": 500, "msg": message}
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000


async def test_audio_before_the_session_is_named_is_an_error_and_a_heartbeat_is_not(
    stack: StackState,
) -> None:
    session = await new_session(stack.url)
    async with voice_calling(stack.url, session["id"]) as caller:
        await caller.socket.send("{}")
        await caller.socket.send(frame(audio=SOUND, meta_info={"encoding": "raw"}, is_close=False))
        error = await caller.error()
        assert error["msg"] == "the session is not named yet: meta_info.session_id is missing"
        await caller.send(bytes(640))
        await caller.socket.send('{"heartbeat": true}')
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000
    assert caller.got == [error]


async def test_an_empty_recording_ends_without_an_answer(stack: StackState) -> None:
    session = await new_session(stack.url)
    async with voice_calling(stack.url, session["id"]) as caller:
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000
    assert caller.got == []


@pytest.mark.models
async def test_pure_noise_gets_no_answer(real_stack: StackState) -> None:
    noise = (np.random.default_rng(7).normal(0, 1800, 3 * 16_000)).clip(-32768, 32767).astype(np.int16)
    session = await new_session(real_stack.url)
    async with voice_calling(real_stack.url, session["id"]) as caller:
        await caller.say(Recording(noise, 16_000), then_silence_s=1.0)
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000
    assert caller.got == []
