"""The network between a process and the broker is cut, slow, or resets connections."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from dialtone.bus import Bus, Stage
from dialtone.settings import BusSettings
from tests.contract.bus.call_side import until
from tests.fixtures.nats import NatsServer
from tests.fixtures.nats_proxy import Cut, NatsProxy

AT_ONCE_S = 1.5  # left to itself, nats-py waits for 2 s


@pytest.fixture
async def proxy(nats_server: NatsServer) -> AsyncIterator[NatsProxy]:
    async with NatsProxy(nats_server.port) as proxy:
        yield proxy


@pytest.fixture
async def distant(proxy: NatsProxy) -> AsyncIterator[Bus]:
    """A bus on the other side of the network."""
    bus = await Bus.connect(BusSettings(nats_url=proxy.url), name="distant")
    yield bus
    proxy.heal()
    await bus.close()


async def reaches(sender: Bus, receiver: Bus, what: bytes) -> None:
    got: list[bytes] = []
    subscription = await receiver.subscribe("test.subject", lambda message: got.append(message.data))
    assert await receiver.round_trip(timeout=5)  # so that the broker has the interest
    await sender.publish("test.subject", what)
    await until(lambda: got == [what], f"{what!r}")
    await subscription.unsubscribe()


@pytest.mark.parametrize(
    "way",
    [
        "to_client",
        pytest.param("to_server", marks=pytest.mark.chaos),
        pytest.param("both", marks=pytest.mark.chaos),
    ],
)
async def test_a_cut_is_noticed_and_a_healed_network_is_used_again(
    proxy: NatsProxy, bus: Bus, distant: Bus, way: Cut
) -> None:
    proxy.cut(way)
    began = time.monotonic()
    await until(lambda: not distant.connected, "the loss noticed")
    assert time.monotonic() - began < 5
    proxy.heal()
    await asyncio.wait_for(distant.wait_ready(), 5)
    await reaches(bus, distant, b"to the client")
    await reaches(distant, bus, b"to the server")


async def test_a_reset_connection_is_made_again_at_once(proxy: NatsProxy, bus: Bus, distant: Bus) -> None:
    generation = distant.generation
    proxy.reset()
    await until(lambda: distant.generation > generation, "the new connection", timeout=AT_ONCE_S)
    await asyncio.wait_for(distant.wait_ready(), 5)
    await reaches(bus, distant, b"to the client")


@pytest.mark.chaos
async def test_a_slow_network_is_no_lost_one(proxy: NatsProxy, bus: Bus, distant: Bus) -> None:
    generation = distant.generation
    proxy.delay_s = 0.2
    began = time.monotonic()
    await reaches(distant, bus, b"slow")
    assert time.monotonic() - began > 0.2
    await asyncio.sleep(2.5)  # longer than it takes to give up a connection
    assert distant.generation == generation


@pytest.mark.chaos
async def test_a_gateway_far_from_the_broker_is_back_after_a_reset_without_looking_for_its_queues_in_turn(
    proxy: NatsProxy, distant: Bus
) -> None:
    for stage in Stage:
        await distant.ensure_stage(stage, "default")
    proxy.delay_s = 0.25  # so that each queue takes a second: a stream, then its consumer
    generation = distant.generation
    proxy.reset()
    await until(lambda: distant.generation > generation, "the new connection")
    began = time.monotonic()
    await asyncio.wait_for(distant.wait_ready(), 10)
    assert time.monotonic() - began < 2.0
