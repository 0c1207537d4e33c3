"""Sessions in Redis and SQL together, as one store that outlives the failure of either.

A write goes to the Redis copy, then to SQL. What SQL cannot take waits in the outbox; a session whose
Redis copy missed a write is marked stale, read from SQL meanwhile, and copied anew when Redis is back.
A read asks Redis, else SQL.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from dialtone.gateway.core.items import Item, SessionRecord
from dialtone.gateway.core.session import SessionConfig
from dialtone.telemetry import get_logger

from .archive import SqlArchive
from .errors import SessionDisplaced, StoreUnavailable, UnknownSession
from .live_sessions import LiveSessions
from .metrics import LIVE_STALE, OUTBOX_LOST
from .outbox import Outbox
from .redis_link import RedisLink
from .session_store import SessionPage
from .writes import CreateSession, DeleteItem, Fence, PutConfig, PutItem, Write

_REPAIR_S = 0.25
_FORGOTTEN_AT_ONCE = 100  # in one transaction, for which calls wait
log = get_logger(__name__)

_Key = tuple[str, str]  # tenant, session id


class StoredSessions:
    """A `SessionStore`. Made by `open_stores`; call `start` before use and `close` after."""

    def __init__(
        self,
        *,
        link: RedisLink,
        archive: SqlArchive,
        session_ttl_s: int,
        outbox_entries: int,
        outbox_bytes: int,
    ) -> None:
        self._link = link
        self._live = LiveSessions(link, ttl_s=session_ttl_s)
        self._archive = archive
        self._ttl_s = session_ttl_s
        self._outbox = Outbox(archive.apply, max_entries=outbox_entries, max_bytes=outbox_bytes)
        self._locks: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()
        self._writing: set[asyncio.Task[None]] = set()
        # When each copy went stale (monotonic seconds), oldest first, and the epoch of what it missed.
        self._stale: dict[_Key, tuple[float, int]] = {}
        self._any_stale = asyncio.Event()
        self._repair: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._repair = asyncio.create_task(self._repair_copies(), name="live-copy-repair")

    async def close(self, *, deadline_s: float) -> None:
        """Give the writes that wait `deadline_s` seconds to reach SQL, then stop."""
        end = time.monotonic() + deadline_s
        if self._writing:
            await asyncio.wait(self._writing, timeout=deadline_s)
        await self._outbox.close(deadline_s=max(0.0, end - time.monotonic()))
        if self._repair is not None:
            self._repair.cancel()
            await asyncio.gather(self._repair, return_exceptions=True)

    async def create(self, record: SessionRecord) -> None:
        write = CreateSession(tenant=record.tenant, session_id=record.id, record=record)
        async with self._lock((record.tenant, record.id)):
            in_sql = await self._try_archive(write)
            try:
                await self._live.fill(record, over=record.epoch)
            except StoreUnavailable:
                if not in_sql:
                    raise  # a new session is to be in one store at least
            if not in_sql:
                self._outbox.add(write)

    async def get(self, tenant: str, session_id: str) -> SessionRecord | None:
        key = (tenant, session_id)
        if key not in self._stale:
            try:
                record = await self._live.get(tenant, session_id)
            except StoreUnavailable:
                record = None  # counted by the link; SQL answers
            if record is not None:
                return record
        await self._catch_up(key)
        record = await self._archive.get(tenant, session_id)
        if record is not None and key not in self._stale:
            try:
                await self._live.fill(record)
            except StoreUnavailable:
                pass  # counted by the link; the next read tries again
        return record

    async def list(self, tenant: str, *, limit: int, cursor: str | None = None) -> SessionPage:
        if len(self._outbox):
            await self._outbox.flush()
        return await self._archive.list(tenant, limit=limit, cursor=cursor)

    async def delete(self, tenant: str, session_id: str) -> bool:
        key = (tenant, session_id)
        async with self._lock(key):
            await self._catch_up(key)
            existed = await self._archive.delete(tenant, session_id)
            try:
                await self._live.drop(tenant, session_id)
            except StoreUnavailable:
                self._mark_stale(key, 0)
            return existed

    async def forget_unused(self, *, for_s: float) -> int:
        """Delete all sessions that nobody used for so long; how many. Raises `StoreUnavailable`."""
        if len(self._outbox):
            await self._outbox.flush()  # what waits there is a use, too
        forgotten = 0
        while gone := await self._archive.delete_unused(for_s=for_s, most=_FORGOTTEN_AT_ONCE):
            forgotten += len(gone)
            for key in gone:
                try:
                    await self._live.drop(*key)
                except StoreUnavailable:
                    self._mark_stale(key, 0)
        return forgotten

    async def fence(self, tenant: str, session_id: str, epoch: int) -> int:
        write = Fence(tenant=tenant, session_id=session_id, epoch=epoch)
        try:
            if await self._copy_write(write):
                # What comes too late is refused by Redis from here on. SQL, which takes ten times as long,
                # is to know in case that Redis is lost; the one who fences need not wait for it.
                self._start(self._fence_sql(write))
            else:
                await self._put(write)
        except SessionDisplaced as later:
            return later.epoch
        except UnknownSession:
            pass
        # A gateway that could not write to Redis, as this one could not, mends its copies now.
        await self._link.settled()
        return epoch

    async def settle(self, tenant: str, session_id: str) -> None:
        key = (tenant, session_id)
        if key in self._stale:
            with suppress(StoreUnavailable):
                await self._catch_up(key)
            async with self._lock(key):
                await self._copy_anew(key)

    async def put_config(
        self, tenant: str, session_id: str, config: SessionConfig, *, epoch: int = 0
    ) -> None:
        await self._put(PutConfig(tenant=tenant, session_id=session_id, epoch=epoch, config=config))

    async def put_item(
        self, tenant: str, session_id: str, item: Item, after: str | None, *, epoch: int = 0
    ) -> None:
        await self._put(PutItem(tenant=tenant, session_id=session_id, epoch=epoch, item=item, after=after))

    async def delete_item(
        self, tenant: str, session_id: str, item_id: str, *, epoch: int = 0, inherited: bool = False
    ) -> None:
        await self._put(
            DeleteItem(
                tenant=tenant, session_id=session_id, epoch=epoch, item_id=item_id, inherited=inherited
            )
        )

    async def _put(self, write: Write) -> None:
        # In a task of its own: a call that is torn down stops waiting for its last writes, and they are
        # to be kept even so.
        await asyncio.shield(self._start(self._carry_out(write)))

    def _start(self, writing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Write in a task that `close` waits for."""
        task = asyncio.create_task(writing)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task

    async def _fence_sql(self, write: Fence) -> None:
        async with self._lock((write.tenant, write.session_id)):
            # A later fence, or no session any more, leaves nothing to do; a full outbox complains by itself.
            with suppress(SessionDisplaced, UnknownSession, StoreUnavailable):
                if not await self._try_archive(write):
                    self._outbox.add(write)

    async def _carry_out(self, write: Write) -> None:
        key = (write.tenant, write.session_id)
        async with self._lock(key):
            copied = False
            try:
                copied = await self._copy_write(write)
                if copied and not isinstance(write, Fence):
                    # It was not too late, whoever comes before SQL has it.
                    write = msgspec.structs.replace(write, taken=True)
                if not await self._try_archive(write):
                    self._outbox.add(write)
            except UnknownSession:
                copied = False  # deleted by another gateway, and a copy was left behind
                raise
            except SessionDisplaced:
                copied = True  # there is nothing that a copy would lack
                raise
            except StoreUnavailable:
                raise  # counted by the outbox, which has no room
            except Exception:
                OUTBOX_LOST.labels("refused").inc()
                raise
            finally:
                if not copied and not isinstance(write, Fence):
                    # Only now, so that the new copy, made of SQL, has this write in it.
                    self._mark_stale(key, write.epoch)

    async def _copy_write(self, write: Write) -> bool:
        """Whether there is a Redis copy and it has taken the write. Raises `SessionDisplaced`."""
        try:
            return await self._live.apply(write)
        except StoreUnavailable:
            return False

    async def _try_archive(self, write: Write) -> bool:
        """Whether SQL has taken the write; never ahead of those that wait."""
        if len(self._outbox):
            return False
        try:
            await self._archive.apply(write)
        except StoreUnavailable:
            return False
        return True

    async def _catch_up(self, key: _Key) -> None:
        """Have all writes of the session in SQL, so that it may be read there."""
        if self._outbox.holds(*key):
            await self._outbox.flush()

    def _lock(self, key: _Key) -> asyncio.Lock:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    def _mark_stale(self, key: _Key, epoch: int) -> None:
        now = time.monotonic()
        _, before = self._stale.pop(key, (now, 0))
        self._stale[key] = now, max(before, epoch)
        # A copy that nobody used for its time to live is gone by itself: this bounds the marks.
        while now - next(iter(self._stale.values()))[0] > self._ttl_s:
            del self._stale[next(iter(self._stale))]
        LIVE_STALE.set(len(self._stale))
        self._any_stale.set()

    async def _repair_copies(self) -> None:
        while True:
            await self._any_stale.wait()
            await self._link.wait_up()
            for key in list(self._stale):
                try:
                    async with self._lock(key):
                        await self._copy_anew(key)
                except StoreUnavailable:
                    break
                except Exception:  # the copies of other sessions still need this task
                    log.exception("cannot copy a session to redis", session_id=key[1])
                    self._stale.pop(key, None)
            LIVE_STALE.set(len(self._stale))
            if self._stale:
                await asyncio.sleep(_REPAIR_S)
            else:
                self._any_stale.clear()

    async def _copy_anew(self, key: _Key) -> None:
        if key not in self._stale:
            return  # done meanwhile
        if self._outbox.holds(*key):
            # SQL lacks something too; until it has it, no copy is better than an old one.
            await self._live.drop(*key)
            return
        record = await self._archive.get(*key)
        if record is None:
            await self._live.drop(*key)
        else:
            await self._live.fill(record, over=self._stale[key][1])
        self._stale.pop(key, None)
