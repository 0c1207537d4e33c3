"""What a subscription that ends still hands over."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from dialtone.bus import Bus, Message, NoResponders, connection
from dialtone.settings import BusSettings
from tests.contract.bus.call_side import until


async def test_a_request_is_answered_or_refused_at_once_however_close_a_drain_is(
    bus: Bus, bus_settings: BusSettings
) -> None:
    for number in range(300):
        answering = await Bus.connect(bus_settings, name="answering")
        answers: list[asyncio.Task[None]] = []

        def answer(message: Message, bus: Bus = bus, answers: list[asyncio.Task[None]] = answers) -> None:
            answers.append(asyncio.create_task(bus.publish(message.reply, b"ok")))

        subscription = await answering.subscribe("a.subject", answer)
        asking = asyncio.create_task(answering.request("a.subject", b"?", timeout=1))
        for _ in range(number % 3):
            await asyncio.sleep(0)
        await subscription.drain(5)
        try:
            assert await asking == b"ok"
        except NoResponders:
            pass
        await answering.close()


def slow_consumers() -> float:
    return REGISTRY.get_sample_value("dialtone_bus_errors_total", {"kind": "slow_consumer"}) or 0.0


@pytest.mark.parametrize(("bound", "most"), [("_PENDING_MSGS", 10), ("_PENDING_BYTES", 30)])
async def test_messages_beyond_a_bound_are_dropped_and_counted_and_later_ones_come(
    bus: Bus, bus_settings: BusSettings, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(connection, bound, most)
    got: list[bytes] = []
    await bus.subscribe("a.subject", lambda message: got.append(message.data))
    await bus.subscribe("b.subject", lambda message: got.append(message.data))
    before = slow_consumers()
    sender = await Bus.connect(bus_settings, name="sender")
    for number in range(500):
        await sender.publish("a.subject", b"%d" % number)
    await sender.publish("b.subject", b"other")
    await until(lambda: b"other" in got, "the neighbour's message")
    lost = slow_consumers() - before
    assert lost > 0
    assert len(got) == 501 - lost
    await sender.publish("a.subject", b"later")
    await until(lambda: got[-1] == b"later", "a message after those that were dropped")
    await sender.close()
