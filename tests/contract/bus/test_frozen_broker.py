"""A broker that stands still with its connections open: nothing waits for it for ever."""

import asyncio
import contextlib
import time

from prometheus_client import REGISTRY

from dialtone.bus import Bus, BusUnavailable
from dialtone.settings import BusSettings
from tests.contract.bus.call_side import until
from tests.fixtures.nats import NatsServer


async def fill(bus: Bus) -> float:
    """Send until nothing more is taken: by the broker, the system, the bus. The most that was unsent."""
    most = 0.0
    with contextlib.suppress(BusUnavailable):
        while True:
            await bus.publish("test.subject", bytes(60_000))
            most = max(most, unsent())
            await asyncio.sleep(0)
    return most


def unsent() -> float:
    return REGISTRY.get_sample_value("dialtone_bus_unsent_bytes") or 0.0


async def test_a_connection_with_unsent_data_is_given_up_and_made_again(
    nats_server: NatsServer, bus: Bus, bus_settings: BusSettings
) -> None:
    told: list[bool] = []
    bus.on_change(lambda connected: told.append(connected))
    nats_server.freeze()
    try:
        for _ in range(3):  # what was refused once is refused again: it does not grow
            assert await fill(bus) < 2 * bus_settings.nats_max_pending_bytes + 100_000
            assert unsent() > 1e6
        await until(lambda: told == [False], "the loss noticed", timeout=6)
    finally:
        nats_server.thaw()
    await until(lambda: told == [False, True], "the new connection", timeout=5)
    got: list[bytes] = []
    await bus.subscribe("test.other", lambda message: got.append(message.data))
    await bus.publish("test.other", b"found")
    await until(lambda: got == [b"found"], "a message")


async def test_a_bus_closes_in_time_however_much_is_unsent(nats_server: NatsServer) -> None:
    settings = BusSettings(nats_url=nats_server.url)
    early = await Bus.connect(settings, name="early")
    late = await Bus.connect(settings, name="late")
    nats_server.freeze()
    try:
        for bus in (early, late):
            await fill(bus)
        before = time.monotonic()
        await early.close()  # while it still believes in its broker
        assert time.monotonic() - before < 2.5
        await until(lambda: not late.connected, "the loss noticed", timeout=6)
        before = time.monotonic()
        await late.close()
        assert time.monotonic() - before < 2.5
    finally:
        nats_server.thaw()
