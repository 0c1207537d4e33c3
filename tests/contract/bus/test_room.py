"""Much to say at once: it is written as fast as the broker takes it, and no faster."""

from __future__ import annotations

import asyncio

import pytest

from dialtone.bus import Bus, BusUnavailable
from dialtone.settings import BusSettings
from tests.fixtures.nats import NatsServer
from tests.fixtures.waiting import eventually

PIECE = bytes(64 * 1024)
PIECES = 256  # four times what may wait


async def test_without_waiting_a_burst_is_refused_and_with_it_all_of_it_goes_out(
    bus: Bus, bus_settings: BusSettings
) -> None:
    assert len(PIECE) * PIECES == 4 * bus_settings.nats_max_pending_bytes

    async def burst() -> None:
        for _ in range(PIECES):
            await bus.publish("burst", PIECE)

    with pytest.raises(BusUnavailable):
        await burst()
    other = await Bus.connect(bus_settings, name="listener")
    got: list[int] = []
    await other.subscribe("burst.heard", lambda message: got.append(len(message.data)))
    await other.request("$SYS.REQ.USER.INFO", b"", timeout=2)  # the broker knows of the interest by now
    for _ in range(PIECES):
        await bus.wait_room()
        await bus.publish("burst.heard", PIECE)

    async def all_came() -> bool:
        return got == [len(PIECE)] * PIECES

    await eventually(all_came)
    await other.close()


async def test_nobody_waits_for_a_broker_that_is_lost(bus: Bus, nats_server: NatsServer) -> None:
    nats_server.freeze()

    async def fill() -> None:
        while True:
            await bus.wait_room()
            await bus.publish("burst", PIECE)

    with pytest.raises(BusUnavailable):
        await asyncio.wait_for(fill(), 15)
    nats_server.thaw()

    async def back() -> bool:
        return bus.connected and bus.generation == 2

    await eventually(back)
