"""Asking somebody else over the bus, and being told to stop while the answer comes."""

import asyncio

import pytest

from dialtone.bus import Bus, Message


async def test_a_cancellation_is_never_lost_to_an_answer_that_comes_with_it(bus: Bus) -> None:
    tasks: set[asyncio.Task[None]] = set()
    asking: asyncio.Task[bytes] | None = None
    taken = False
    steps = 0

    def answer(message: Message) -> None:
        tasks.add(asyncio.create_task(bus.publish(message.reply, b"ok")))

    async def stop() -> None:
        nonlocal taken
        for _ in range(steps):
            await asyncio.sleep(0)
        assert asking is not None
        taken = asking.cancel()

    answering = await bus.subscribe("a.subject", answer)
    seeing = await bus.subscribe("_INBOX.>", lambda _message: tasks.add(asyncio.create_task(stop())))
    for steps in range(8):
        for _ in range(5):
            asking = asyncio.create_task(bus.request("a.subject", b"?", timeout=5))
            await asyncio.wait({asking})
            await asyncio.gather(*tasks)
            assert asking.cancelled() is taken, f"lost {steps} steps after the answer"
            tasks.clear()
            taken = False
    await answering.drain(5)
    await seeing.drain(5)


async def test_a_request_that_nobody_answers_ends_in_time(bus: Bus) -> None:
    subscription = await bus.subscribe("a.subject", lambda _message: None)
    with pytest.raises(TimeoutError, match=r"a\.subject"):
        await bus.request("a.subject", b"?", timeout=0.1)
    await subscription.drain(5)
