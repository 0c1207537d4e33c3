"""Writes that wait for SQL to come back."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable

from dialtone.telemetry import get_logger

from .errors import SessionDisplaced, SessionExists, StoreUnavailable, UnknownSession
from .metrics import OUTBOX_ENTRIES, OUTBOX_LOST
from .writes import Fence, Write, size_of

_RETRY_S = 0.2
_RETRY_MOST_S = 2.0
log = get_logger(__name__)


class Outbox:
    """A bounded queue of writes, carried out in order and tried again until `apply` can."""

    def __init__(
        self, apply: Callable[[Write], Awaitable[None]], *, max_entries: int, max_bytes: int
    ) -> None:
        self._apply = apply
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: deque[tuple[Write, int]] = deque()
        self._bytes = 0
        self._by_session: Counter[tuple[str, str]] = Counter()
        self._turn = asyncio.Lock()
        self._drain: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def holds(self, tenant: str, session_id: str) -> bool:
        """Whether SQL lacks a write of this session."""
        return self._by_session[tenant, session_id] > 0

    def add(self, write: Write) -> None:
        """Queue a write. Raises `StoreUnavailable` when there is no room: the write is lost to SQL."""
        size = size_of(write)
        if len(self._entries) >= self._max_entries or self._bytes + size > self._max_bytes:
            OUTBOX_LOST.labels("full").inc()
            log.error("outbox is full, a write is lost to sql", session_id=write.session_id)
            raise StoreUnavailable("sql", "the outbox is full")
        self._entries.append((write, size))
        self._bytes += size
        self._by_session[write.tenant, write.session_id] += 1
        OUTBOX_ENTRIES.set(len(self._entries))
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._drain_until_empty(), name="outbox-drain")

    async def flush(self) -> None:
        """Carry out all that waits, now. Raises `StoreUnavailable` at the first that cannot be."""
        async with self._turn:
            while self._entries:
                write, size = self._entries[0]
                await self._carry_out(write)
                self._entries.popleft()
                self._bytes -= size
                key = write.tenant, write.session_id
                self._by_session[key] -= 1
                if not self._by_session[key]:
                    del self._by_session[key]
                OUTBOX_ENTRIES.set(len(self._entries))

    async def close(self, *, deadline_s: float) -> None:
        """Try to empty the outbox for `deadline_s` seconds, then give up what is left."""
        if self._drain is not None:
            _, unfinished = await asyncio.wait({self._drain}, timeout=deadline_s)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(self._drain, return_exceptions=True)
        if self._entries:
            OUTBOX_LOST.labels("stopped").inc(len(self._entries))
            log.error("stopped with writes that sql never got", writes=len(self._entries))

    async def _drain_until_empty(self) -> None:
        pause = _RETRY_S
        while self._entries:
            before = len(self._entries)
            try:
                await self.flush()
            except StoreUnavailable:
                pause = _RETRY_S if len(self._entries) < before else min(pause * 2, _RETRY_MOST_S)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))

    async def _carry_out(self, write: Write) -> None:
        try:
            await self._apply(write)
        except StoreUnavailable:
            raise
        except SessionExists:
            pass  # an earlier try got there although it seemed to fail
        except UnknownSession:
            OUTBOX_LOST.labels("deleted").inc()
            log.info("write for a session that was deleted", session_id=write.session_id)
        except SessionDisplaced as later:
            if not isinstance(write, Fence):  # which has nothing left to do
                OUTBOX_LOST.labels("displaced").inc()
                log.warning(
                    "write of a call that was displaced", session_id=write.session_id, later=later.epoch
                )
        except Exception as error:  # noqa: BLE001 - one bad write must not hold up all behind it
            OUTBOX_LOST.labels("refused").inc()
            log.error("sql refuses a write", session_id=write.session_id, error=repr(error)[:500])
