"""The threads that run models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class SynthesisPool:
    """Runs short model steps off the event loop, first come first served.

    A sentence is many steps, so sentences in hand take turns and a cancelled one leaves within a step: a step
    that has not begun when its waiter is cancelled never runs. The queue is as long as there are sentences in
    hand, because each waits for one step at a time.
    """

    def __init__(self, parallel: int) -> None:
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix="synthesis")

    async def run(self, step: Callable[..., T], *args: object) -> T:
        """Run `step(*args)` in a thread and return what it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, step, *args)

    async def close(self) -> None:
        """Wait for the steps that run; drop the others."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
