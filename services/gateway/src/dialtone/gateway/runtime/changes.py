"""What a call changes in its session: stored one after the other, and known when it is.

A client that was told that an item is done, and whose gateway is killed then, is to find that item at the
next one. So it is told when the store has it; not much later, though, for a store may be away.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from dialtone.gateway.core.effects import Displaced, Expelled, NotStored
from dialtone.gateway.runtime.expulsions import session_deleted
from dialtone.gateway.stores import SessionDisplaced, UnknownSession
from dialtone.telemetry import get_logger

log = get_logger(__name__)

TELL_S = 0.2  # how long news may wait for its change to be stored

Change = Callable[[], Awaitable[None]]


class Changes:
    """Carries out changes in the order in which they were added, in the task that runs `run`."""

    def __init__(
        self, *, on_refused: Callable[[Displaced | Expelled | NotStored], None], on_done: Callable[[], None]
    ) -> None:
        """`on_refused` is told that the session is another's by now, or is no more, or that a change was lost
        for what it is; `on_done` is called after each change."""
        self._on_refused = on_refused
        self._on_done = on_done
        self._queue: asyncio.Queue[Change] = asyncio.Queue()
        self._added = self._done = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._any_lost = False
        self._late = False  # the store is: until it has all of them, nobody waits for it

    def __len__(self) -> int:
        """Changes that have not been begun."""
        return self._queue.qsize()

    def add(self, change: Change) -> None:
        self._added += 1
        self._queue.put_nowait(change)

    def stored(self) -> asyncio.Future[None] | None:
        """Done when all that was added so far is stored, or after `TELL_S`; None: no need to wait."""
        if self._done == self._added or self._late:
            return None
        loop = asyncio.get_running_loop()
        stored = loop.create_future()
        self._waiting.append((self._added, stored))
        timer = loop.call_later(TELL_S, self._give_up, stored)
        stored.add_done_callback(lambda _: timer.cancel())
        return stored

    def _give_up(self, stored: asyncio.Future[None]) -> None:
        if not stored.done():
            self._late = True
            self._tell(self._added)

    def _tell(self, upto: int) -> None:
        while self._waiting and self._waiting[0][0] <= upto:
            stored = self._waiting.popleft()[1]
            if not stored.done():
                stored.set_result(None)

    async def run(self) -> None:
        """Store them, until cancelled."""
        while True:
            change = await self._queue.get()
            try:
                await change()
            except SessionDisplaced:
                log.warning("a change came after another call had taken the session")
                self._on_refused(Displaced())
            except UnknownSession:
                log.info("a change came after the session was deleted")
                self._on_refused(session_deleted())
            except Exception:  # no outage: those the stores bridge
                log.exception("a change of the session was not stored")
                if not self._any_lost:
                    self._any_lost = True
                    self._on_refused(NotStored())
            finally:
                self._done += 1
                self._late = self._late and self._done < self._added
                self._tell(self._done)
                self._queue.task_done()
                self._on_done()

    async def flush(self, *, within_s: float) -> None:
        """Wait until all is stored, for so long."""
        try:
            async with asyncio.timeout(within_s):
                await self._queue.join()
        except TimeoutError:
            log.error("changes of the session were not stored in time", waiting=self._added - self._done)
