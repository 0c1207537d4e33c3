"""Work that a broker did not store although it was there, as one does not whose disk is full.

Nothing else of it shows that: it answers, delivers what it has, and forgets nothing. So what it did not store
is submitted again until it is, which is harmless: whoever gets it is told by its call that it is not wanted.
"""

import asyncio
from collections.abc import Awaitable, Callable

from dialtone.bus.errors import BusError, BusUnavailable
from dialtone.bus.subjects import Stage
from dialtone.v1.work_pb2 import Work

_AGAIN_S = 1.0


class UnqueuedWork:
    """One piece of work at most of each stage."""

    def __init__(self, submit: Callable[[Stage, str, Work], Awaitable[None]]) -> None:
        """`submit` is tried again with it, and says `taken` when the broker has taken something."""
        self._submit = submit
        self._work: dict[Stage, tuple[str, Work]] = {}
        self._trying: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Stages whose last work was not stored."""
        return len(self._work)

    def add(self, stage: Stage, pool: str, work: Work) -> None:
        """It was not stored."""
        kept = Work()
        kept.CopyFrom(work)
        self._work.setdefault(stage, (pool, kept))
        if self._trying is None or self._trying.done():
            self._trying = asyncio.create_task(self._try_again())

    def taken(self, stage: Stage) -> None:
        """Work of this stage was stored."""
        self._work.pop(stage, None)

    def close(self) -> None:
        """Try no more."""
        if self._trying is not None:
            self._trying.cancel()

    async def _try_again(self) -> None:
        while self._work:
            await asyncio.sleep(_AGAIN_S)
            for stage, (pool, work) in list(self._work.items()):
                try:
                    await self._submit(stage, pool, work)
                except BusUnavailable:
                    continue
                except BusError:  # refused for what it is, by a broker that works
                    self.taken(stage)
