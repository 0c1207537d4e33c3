"""A gateway is killed at each moment of a turn: its caller goes on at the other, with all that was over."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection

from tests.chaos.caller import Caller, Turn, connected, frames_of, judge
from tests.chaos.gateways import Gateways, two_of_each
from tests.chaos.worker import sentences_about
from tests.fixtures.waiting import eventually

BACK_S = 2.0
QUESTION = ["amber", "birch", "cedar", "delta"]
KINDS = {  # by which the caller knows of the moment
    "speaking": "input_audio_buffer.speech_started",
    "thinking": "conversation.item.input_audio_transcription.completed",
    "answering": "response.output_audio.delta",
    "interrupting": "response.output_audio.delta",
}
ASKED = " ".join(QUESTION)
STORED: dict[str, list[list[str]]] = {  # beside the turn that was over
    "idle": [[]],
    "speaking": [[]],
    "thinking": [[ASKED]],  # the caller was told these words
    "answering": [[ASKED]],
    "interrupting": [[ASKED], [ASKED, ""]],  # as far as it was heard: not a word of it
}
FREE_S = 10.0  # legs look now and then whether anybody listens to them
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chaos]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateways(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateways]:
    async with two_of_each(tmp_path_factory.mktemp("killed")) as running:
        yield running


@dataclass
class Watched(Turn):
    """A turn of which it is known how far it has come."""

    kinds: set[str] = field(default_factory=set)

    def hear(self, event: dict[str, Any], now: float) -> None:
        super().hear(event, now)
        self.kinds.add(event["type"])

    async def comes_to(self, kind: str) -> None:
        async def heard() -> bool:
            return kind in self.kinds

        await eventually(heard, within_s=20)


@asynccontextmanager
async def conversing(socket: ClientConnection, seed: int) -> AsyncIterator[Caller]:
    caller = Caller(socket, seed)
    tasks = [asyncio.create_task(caller.listen()), asyncio.create_task(caller.speak())]
    try:
        await caller.set_up()
        yield caller
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # a killed gateway's socket breaks in them
        await socket.close()


async def begun(socket: ClientConnection) -> str:
    """The id of the session that the call has."""
    async with asyncio.timeout(10):
        created: dict[str, Any] = json.loads(await socket.recv())
    assert created["type"] == "session.created"
    return str(created["session"]["id"])


async def stored(address: str, session_id: str) -> list[str]:
    async with httpx.AsyncClient(base_url=address.replace("ws", "http", 1), timeout=5) as http:
        session = (await http.get(f"/v1/sessions/{session_id}")).json()
    return [message["content"] for message in session["messages"]]


async def come_to(moment: str, caller: Caller) -> None:
    """Have the caller speak until this moment of a turn."""
    if moment == "idle":
        return
    first = Watched(QUESTION)
    speaking = asyncio.create_task(caller.say(first, frames_of(first.words)))
    await first.comes_to(KINDS[moment])
    if moment == "interrupting":
        second = Watched(["ocean", "pearl", "north", "maple"])
        speaking.cancel()
        speaking = asyncio.create_task(caller.say(second, frames_of(second.words)))
        await second.comes_to("input_audio_buffer.speech_started")
    speaking.cancel()


@pytest.mark.parametrize("moment", STORED)
async def test_what_was_over_is_there_and_the_next_turn_is_whole(gateways: Gateways, moment: str) -> None:
    while len(gateways.addresses()) < 2:
        await gateways.start().ready()
    first, second = gateways.addresses()
    socket = await connected(f"{first}/v1/realtime")
    session_id = await begun(socket)
    async with conversing(socket, seed=1) as caller:
        over = await caller.ask()
        assert (await judge(over)).wrong == ()
        await come_to(moment, caller)
        gateways.running[first].signal(signal.SIGKILL)
        killed_at = time.monotonic()
        await socket.wait_closed()
    back = await connected(f"{second}/v1/realtime?session_id={session_id}")
    assert await begun(back) == session_id
    assert time.monotonic() - killed_at < BACK_S
    said = [over.question, " ".join(sentences_about(over.question))]
    found = await stored(second, session_id)
    assert found[:2] == said
    assert found[2:] in STORED[moment]
    async with conversing(back, seed=2) as caller:
        last = await caller.ask()
        assert (await judge(last)).wrong == ()

    async def free() -> bool:
        workers = gateways.stack.workers
        return not any([await worker.metric("dialtone_work_in_progress") for worker in workers])

    await eventually(free, within_s=FREE_S)
    found += [last.question, " ".join(sentences_about(last.question))]
    assert await stored(second, session_id) == found
