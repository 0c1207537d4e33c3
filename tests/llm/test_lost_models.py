"""A turn that takes a local model with it is found out, and given up; the turns beside it are answered."""

import asyncio
import functools
import math
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import httpx2
import psutil
import pytest

from dialtone.bus import Bus, LeaseWorker, Stage
from dialtone.fence import ModelGone, ModelProcess
from dialtone.llm.answer import Event
from dialtone.llm.backends.local import LocalBackend
from dialtone.llm.handler import TurnHandler
from dialtone.llm.llama_server import LlamaServer
from dialtone.llm.local_loss import LocalModelLost
from dialtone.llm.model_entry import ModelEntry
from dialtone.llm.registry import ModelRegistry
from dialtone.v1.turn_pb2 import LlmTurn, TextDelta, TurnDone
from dialtone.v1.work_pb2 import Work
from dialtone.vendors.failures import UpstreamFailure
from tests.contract.bus.call_side import CallSide, until
from tests.fence.fragile import Fragile, load
from tests.llm.conversations import turn


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LlamaServer]:
    """The turns of a server, whose process holds a model of no use."""
    process = ModelProcess("llama", functools.partial(load, "Hello"))
    await process.start()
    made = LlamaServer(process, tmp_path / "socket", httpx2.AsyncClient())
    yield made
    await made.close()


class _Turns:
    def __init__(self, server: LlamaServer) -> None:
        self.server = server
        self.at_once = self.most_at_once = 0
        self.go_on = asyncio.Event()

    async def one(self, *, cut: bool) -> None:
        async with self.server.turn():
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await self.go_on.wait()
                await asyncio.sleep(0.02)  # in which others may come
                if cut:
                    raise UpstreamFailure("upstream_cut", "the answer broke off")
            finally:
                self.at_once -= 1


async def test_the_turns_among_which_a_model_was_lost_are_followed_by_as_many_one_by_one(
    server: LlamaServer,
) -> None:
    turns = _Turns(server)
    lost = [asyncio.create_task(turns.one(cut=True)) for _ in range(3)]
    await until(lambda: turns.at_once == 3, "three turns")
    psutil.Process(server.model.pid).kill()
    turns.go_on.set()
    failures = await asyncio.gather(*lost, return_exceptions=True)
    assert [isinstance(failure, LocalModelLost) and failure.alone for failure in failures] == [False] * 3
    assert all(isinstance(failure, LocalModelLost) for failure in failures)
    again = _Turns(server)
    again.go_on.set()
    await asyncio.gather(*(again.one(cut=False) for _ in range(3)))
    assert again.most_at_once == 1
    beside = _Turns(server)
    several = [asyncio.create_task(beside.one(cut=False)) for _ in range(3)]
    await until(lambda: beside.at_once == 3, "turns side by side again")
    beside.go_on.set()
    await asyncio.gather(*several)


async def test_a_turn_alone_is_known_to_be_the_one(server: LlamaServer) -> None:
    turns = _Turns(server)
    turns.go_on.set()
    psutil.Process(server.model.pid).kill()
    with pytest.raises(LocalModelLost) as lost:
        await turns.one(cut=True)
    assert lost.value.alone


async def test_a_connection_that_breaks_by_itself_is_no_lost_model(server: LlamaServer) -> None:
    turns = _Turns(server)
    turns.go_on.set()
    with pytest.raises(UpstreamFailure) as failed:
        await turns.one(cut=True)
    assert failed.value.code == "upstream_cut"
    assert server.model.ready


async def test_turns_wait_for_the_next_process(server: LlamaServer) -> None:
    before = server.model.pid
    psutil.Process(before).kill()
    await until(lambda: server.model.pid != before, "the loss")
    async with server.turn():
        assert await server.model.run(5, Fragile.greet, "you") == "Hello, you"


# --- at the bus


class _Poison:
    """Answers, but for "poison", which takes the model with it."""

    name = "local"
    abilities = LocalBackend.abilities
    breaker = None

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self.asked = 0

    async def load(self) -> None:
        """Nothing to load."""

    def check(self, turn: LlmTurn) -> None:
        """It takes every turn."""

    async def stream(
        self, turn: LlmTurn, delivered: str = "", *, again: bool = True, first_token_by: float = math.inf
    ) -> AsyncGenerator[Event, None]:
        del delivered, again, first_token_by
        if turn.messages[-1].text == "gone":
            raise ModelGone("no memory left")
        if turn.messages[-1].text == "poison":
            self.asked += 1
            raise LocalModelLost("SIGSEGV", alone=self._alone)
        yield TextDelta(text="Hello.")
        yield TurnDone(finish_reason=TurnDone.FINISH_REASON_STOP)

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(("alone", "attempts"), [(True, [0, 1]), (False, [0, 1, 2])])
async def test_poison_is_given_up_before_it_has_gone_round_the_workers(
    bus: Bus, alone: bool, attempts: list[int]
) -> None:
    await bus.ensure_stage(Stage.LLM, "default")
    call = await CallSide(bus, "call-1").open()
    backend = _Poison(alone=alone)
    registry = ModelRegistry({"m": ModelEntry(backend="local")}, ("m",), lambda _entry: backend)
    worker = LeaseWorker(bus, Stage.LLM, TurnHandler(registry), slots=4, worker_id="llm-1")
    running = asyncio.create_task(worker.run())
    try:
        for text in ("poison", "Hi"):
            work = Work(lease_id=text, call_id="call-1", session_id="s1", turn=turn(text, model="m"))
            await bus.submit(Stage.LLM, "default", work)
        await until(lambda: any(event.failed.final for event in call.of("failed")), "its end")
        await until(lambda: bool(call.of("turn_done", "Hi")), "the turn beside it")
        assert call.attempts("poison") == attempts
        assert {event.failed.error.code for event in call.of("failed", "poison")} == {"model_lost"}
        assert backend.asked == len(attempts)
    finally:
        running.cancel()
        await asyncio.wait({running})
        await call.close()


async def test_a_worker_without_its_model_hands_its_turns_back(bus: Bus) -> None:
    await bus.ensure_stage(Stage.LLM, "default")
    call = await CallSide(bus, "call-1").open()
    registry = ModelRegistry({"m": ModelEntry(backend="local")}, ("m",), lambda _entry: _Poison(alone=True))
    worker = LeaseWorker(bus, Stage.LLM, TurnHandler(registry), slots=1, worker_id="llm-1")
    running = asyncio.create_task(worker.run())
    try:
        work = Work(lease_id="l1", call_id="call-1", session_id="s1", turn=turn("gone", model="m"))
        await bus.submit(Stage.LLM, "default", work)
        await until(lambda: bool(call.of("released")), "its return")
        assert call.of("released")[0].released.reason == "no memory left"
        assert not call.of("failed")
    finally:
        running.cancel()
        await asyncio.wait({running})
        await call.close()
