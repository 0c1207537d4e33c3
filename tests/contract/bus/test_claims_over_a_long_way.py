"""A broker far away: the answer to a claim is not waited for where it can only say yes or no."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from dialtone.bus import Bus, Handler, Lease, LeaseWorker, Stage
from dialtone.settings import BusSettings
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.turn_pb2 import TextDelta
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.queue_state import QueueState
from tests.fixtures.nats import NatsServer
from tests.fixtures.nats_proxy import NatsProxy

WAY_S = 0.2  # to the broker, and as long back

StartDistant = Callable[[Handler], Awaitable[None]]


@pytest.fixture
async def start_distant(nats_server: NatsServer) -> AsyncIterator[StartDistant]:
    """Starts a worker of the LLM stage that is far from the broker. Nobody answers it for more than 0.6 s."""
    async with AsyncExitStack() as exits:

        async def start(handler: Handler) -> None:
            proxy = await exits.enter_async_context(NatsProxy(nats_server.port))
            settings = BusSettings(nats_url=proxy.url, lease_claim_timeout_s=0.6)
            bus = await Bus.connect(settings, name="distant")
            exits.push_async_callback(bus.close)
            worker = LeaseWorker(bus, Stage.LLM, handler, slots=2, worker_id="distant")
            running = asyncio.create_task(worker.run())

            async def end() -> None:
                running.cancel()
                await asyncio.wait({running})

            exits.push_async_callback(end)
            proxy.delay_s = WAY_S

        yield start


async def test_a_first_attempt_is_begun_while_its_claim_is_on_its_way(
    call: CallSide, queue: QueueState, start_distant: StartDistant
) -> None:
    async def handler(lease: Lease) -> None:
        await lease.send(text=TextDelta(text="Hello."))

    await start_distant(handler)
    await call.submit("turn-1")
    await until(lambda: bool(call.of("text")), "the answer")
    # One after the other they would be two ways apart.
    assert call.when("text", 0) - call.when("claim", 0) < 1.5 * WAY_S
    await queue.empties()
    assert call.attempts("turn-1") == [0]


async def test_work_that_was_begun_and_is_refused_ends_and_leaves_the_queue(
    call: CallSide, queue: QueueState, start_distant: StartDistant
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handler(_lease: Lease) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    call.grant = lambda _claim: Grant(granted=False, reason="cancelled")
    await start_distant(handler)
    await call.submit("turn-1")
    await asyncio.wait_for(begun.wait(), 10)
    await asyncio.wait_for(ended.wait(), 10)
    await queue.empties()
    assert call.attempts("turn-1") == [0]
    assert not call.of("failed")


async def test_work_whose_claim_is_not_answered_ends_and_later_attempts_wait_for_leave(
    call: CallSide, start_distant: StartDistant
) -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def handler(lease: Lease) -> None:
        begun.append(lease.attempt)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(lease.attempt)

    call.grant = lambda _claim: None
    await start_distant(handler)
    await call.submit("turn-1")
    await until(lambda: len(call.attempts("turn-1")) >= 3, "two more attempts", timeout=20)
    assert (begun, ended) == ([0], [0])


async def test_work_that_is_done_before_leave_comes_is_settled_when_it_does(
    call: CallSide, queue: QueueState, start_distant: StartDistant
) -> None:
    done = asyncio.Event()

    async def handler(_lease: Lease) -> None:
        done.set()

    allowed: list[bool] = []

    def grant(_claim: object) -> Grant:
        allowed.append(done.is_set())
        return Grant(granted=True)

    call.grant = grant
    await start_distant(handler)
    await call.submit("turn-1")
    await until(lambda: bool(allowed), "the claim")
    assert allowed == [True]  # it has been done before anybody said yes
    await queue.empties()
    assert call.attempts("turn-1") == [0]
