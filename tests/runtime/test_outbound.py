"""A client that takes nothing is given up after a time, however little there is for it to take (S10)."""

from __future__ import annotations

import asyncio
import time

from dialtone.gateway.runtime.outbound import Frame, Outbound

SEND_S = 0.2


async def test_one_frame_that_is_not_taken_in_time_is_enough() -> None:
    stalled = asyncio.Event()
    tried: list[Frame] = []

    async def never(frame: Frame) -> None:
        tried.append(frame)
        await asyncio.Event().wait()

    outbound = Outbound(never, limit_bytes=2**20, send_timeout_s=SEND_S, on_stalled=stalled.set)
    start = time.monotonic()
    outbound.put("Hello")
    outbound.put("Is anybody there?")
    async with asyncio.timeout(20):
        await outbound.run()  # and that is its end
    assert time.monotonic() - start >= SEND_S
    assert stalled.is_set()
    assert tried == ["Hello"]


async def test_one_that_takes_each_in_time_is_waited_for_as_long_as_there_are_any() -> None:
    taken: list[Frame] = []

    async def slowly(frame: Frame) -> None:
        await asyncio.sleep(SEND_S / 4)
        taken.append(frame)

    outbound = Outbound(slowly, limit_bytes=2**20, send_timeout_s=10 * SEND_S, on_stalled=taken.clear)
    for number in range(12):
        outbound.put(str(number))
    outbound.finish()
    await asyncio.wait_for(outbound.run(), 20)
    assert taken == [str(number) for number in range(12)]
