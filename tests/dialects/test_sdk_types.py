"""That the checks of every test's events find what is wrong with one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import InputAudio, MessageItem
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.gateway.dialects.realtime_beta import RealtimeBetaDialect
from tests.dialects.server_events import response
from tests.fixtures.sdk_types import WireCheck, check_beta, check_ga

Event = dict[str, Any]

SAID: dict[str, out.ServerEvent] = {
    "item": out.ItemAdded(MessageItem("item_1", "user", [InputAudio()]), None),
    "response": out.ResponseDone(response()),
    "session": out.SessionUpdated("sess_1", 1, SessionConfig()),
    "error": out.Error(out.ErrorDetail("server_error", "x", "y")),
    "speech": out.SpeechStarted(100, "item_1"),
    "audio": out.OutputAudioDelta("resp_1", "item_1", 0, 0, b"xx"),
}


def without(event: Event, path: str) -> Event:
    *parents, member = path.split(".")
    place = event
    for parent in parents:
        place = place[int(parent)] if parent.isdigit() else place[parent]  # type: ignore[index]  # a list
    del place[member]
    return event


def with_(event: Event, path: str, value: Any) -> Event:
    *parents, member = path.split(".")
    place = event
    for parent in parents:
        place = place[int(parent)] if parent.isdigit() else place[parent]  # type: ignore[index]  # a list
    place[member] = value
    return event


DAMAGE: list[tuple[str, Callable[[Event], Event]]] = [
    ("item", lambda e: without(e, "event_id")),
    ("item", lambda e: with_(e, "event_id", None)),
    ("item", lambda e: without(e, "previous_item_id")),
    ("item", lambda e: without(e, "item.content.0.transcript")),
    ("item", lambda e: with_(e, "item.call_id", None)),
    ("item", lambda e: with_(e, "item.status", None)),
    ("item", lambda e: with_(e, "item.content.0.audio", "AAAA")),
    ("item", lambda e: with_(e, "type", "conversation.item.begun")),
    ("response", lambda e: with_(e, "response.usage", None)),
    ("response", lambda e: with_(e, "response.usage.total_tokens", 7)),
    ("response", lambda e: with_(e, "response.usage.input_tokens", 2.0)),
    ("response", lambda e: with_(e, "response.status", "done")),
    ("response", lambda e: with_(e, "response.status", "cancelled")),
    ("response", lambda e: without(e, "response.metadata")),
    ("response", lambda e: with_(e, "response.more", 1)),
    ("response", lambda e: with_(e, "response.output.0.status", "in_progress")),
    ("session", lambda e: with_(e, "session.reasoning", None)),
    ("session", lambda e: without(e, "session.tools")),
    ("session", lambda e: with_(e, "session.object", "realtime.transcription_session")),
    ("session", lambda e: with_(e, "session.dialtone", {})),
    ("error", lambda e: without(e, "error.event_id")),
    ("error", lambda e: with_(e, "error.message", None)),
    ("speech", lambda e: with_(e, "audio_start_ms", 1.5)),
    ("speech", lambda e: with_(e, "audio_start_ms", True)),
    ("audio", lambda e: without(e, "output_index")),
]


@pytest.mark.parametrize("dialect", [RealtimeDialect, RealtimeBetaDialect])
@pytest.mark.parametrize(
    ("said", "damage"), DAMAGE, ids=[f"{n}-{said}" for n, (said, _) in enumerate(DAMAGE)]
)
def test_a_damaged_event_is_refused(
    said: str, damage: Callable[[Event], Event], dialect: type[RealtimeDialect | RealtimeBetaDialect]
) -> None:
    check = check_ga if dialect is RealtimeDialect else check_beta
    (frame,) = dialect().encode(SAID[said])
    event = check(frame)
    with pytest.raises(AssertionError):
        check(damage(event))


@pytest.mark.parametrize("said", ["item", "response", "session", "audio"])
def test_an_event_of_the_other_dialect_is_refused(said: str) -> None:
    (ga,), (beta,) = RealtimeDialect().encode(SAID[said]), RealtimeBetaDialect().encode(SAID[said])
    with pytest.raises(AssertionError):
        check_beta(ga)
    with pytest.raises(AssertionError):
        check_ga(beta)


def test_an_event_id_that_was_there_before_is_refused() -> None:
    (frame,) = RealtimeDialect().encode(SAID["speech"])
    check = WireCheck("realtime")
    check(frame)
    with pytest.raises(AssertionError, match="was there before"):
        check(frame)


@pytest.mark.parametrize("beta", [False, True])
async def test_no_client_receives_a_wrong_event(beta: bool) -> None:
    dialect = RealtimeBetaDialect() if beta else RealtimeDialect()
    (right,) = dialect.encode(SAID["session"])
    wrong = json.loads(right) | {"event_id": "event_2", "session": {}}

    async def say(socket: ServerConnection) -> None:
        await socket.send(right)
        await socket.send(json.dumps(wrong))

    headers = {"OpenAI-Beta": "realtime=v1"} if beta else {}
    async with serve(say, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"ws://127.0.0.1:{port}/v1/realtime?model=x"
        async with connect(url, additional_headers=headers, proxy=None) as client:
            assert await client.recv() == right
            with pytest.raises(AssertionError):
                await client.recv()
