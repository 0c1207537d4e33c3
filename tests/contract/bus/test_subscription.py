"""What a subscription that ends still hands over."""

import asyncio

from dialtone.bus import Bus, Message, NoResponders
from dialtone.settings import BusSettings


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
