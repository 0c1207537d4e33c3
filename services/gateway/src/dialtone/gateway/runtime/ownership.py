"""Whose session it is: a call takes it when it begins, holds it, and gives it back.

A client whose connection broke comes back before anybody has noticed that it was gone. So a new call takes
the session over (unless `session_takeover` is "refuse"): the gateway of the old one is asked to have it
leave, which it does as at any other end, with everything stored; one that does not within `LEAVE_S` is
fenced off, and what it still writes is refused. A gateway that is not there any more is not waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from dialtone.bus import Bus, BusError, Message, NoResponders, Subscription
from dialtone.bus.subjects import leave_subject
from dialtone.gateway.ids import new_id
from dialtone.gateway.runtime import metrics
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import (
    CallHolder,
    CallRegistry,
    SessionBusy,
    SessionDisplaced,
    SessionStore,
    StoreUnavailable,
)
from dialtone.telemetry import get_logger
from dialtone.v1.takeover_pb2 import Leave

log = get_logger(__name__)

LEAVE_S = 1.0  # that a call may take to let go of its session
CHANGE_S = 0.2  # that a change from outside waits for another one of the same session
POLL_S = 0.02
MOST_OWED = 10_000  # claims: of calls that ended while Redis was away
MOST_HOLDERS = 5  # that one call takes a session from, while others do the same

Session = tuple[str, str]  # tenant, session id


class Ownership:
    """The claims of one gateway's calls. Methods raise `StoreUnavailable` where not said otherwise."""

    def __init__(
        self,
        settings: GatewaySettings,
        bus: Bus,
        store: SessionStore,
        registry: CallRegistry,
        *,
        leave: Callable[[str, bool], None],
    ) -> None:
        """`leave` is told the id of a call that is to leave, and whether because its session was deleted;
        it may know no such call."""
        self._takes_over = settings.session_takeover == "take_over"
        self._bus = bus
        self._store = store
        self._registry = registry
        self._leave = leave
        # By call: claims that could not be given back, and until when they are to wait for the store.
        self._owed: dict[str, tuple[Session, float]] = {}
        self._subscription: Subscription | None = None
        self._replies: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """From here on other gateways can ask for sessions. Raises BusError."""
        self._subscription = await self._bus.subscribe(
            leave_subject(self._registry.gateway_id), self._asked_to_leave
        )

    async def stop(self) -> None:
        if self._subscription is not None:
            with suppress(BusError):
                await self._subscription.unsubscribe()
        with suppress(StoreUnavailable):  # what it has claimed is free in seconds all the same
            await self._registry.leave()

    async def take(self, session: Session, call_id: str, *, resumed: bool) -> int:
        """Claim the session for a call; the claim's epoch, with which the call is to write.

        `resumed`: others may have written to it. Raises SessionBusy.
        """
        epoch = await self._claim_at_last(session, call_id)
        return await self._fence(session, call_id, epoch) if resumed else epoch

    async def _fence(self, session: Session, call_id: str, epoch: int) -> int:
        """Keep what came before this claim from writing; the claim's epoch, which may have to be raised."""
        seen = await self._store.fence(*session, epoch)
        if seen > epoch:  # of a time when the clock went ahead
            raised = await self._claim(session, call_id, above=seen)
            if raised is None:
                raise SessionBusy
            epoch = raised
            if await self._store.fence(*session, epoch) > epoch:
                raise SessionBusy
        return epoch

    async def release(self, session: Session, call_id: str) -> None:
        """Give the session back, if the call still has it; raises nothing."""
        try:
            await self._store.settle(*session)
            await self._registry.release(*session, call_id=call_id)
        except StoreUnavailable as error:
            log.warning("a session is given back later", error=str(error))
            self._owed[call_id] = session, time.monotonic() + self._registry.beat_s
            if len(self._owed) > MOST_OWED:  # the oldest: it runs out by itself
                del self._owed[next(iter(self._owed))]

    async def release_owed(self) -> None:
        """Give back what could not be so far."""
        for call_id, (session, patient_until) in list(self._owed.items()):
            try:
                await self._store.settle(*session)
            except StoreUnavailable:
                # Its copy stays behind: for no longer than the session of a gateway that died is kept.
                if time.monotonic() < patient_until:
                    continue
            await self._registry.release(*session, call_id=call_id)
            self._owed.pop(call_id, None)

    @asynccontextmanager
    async def changing(self, session: Session) -> AsyncIterator[int]:
        """Hold the session for a change that no call makes; the epoch with which that is to be written.

        A call that begins meanwhile waits for it, or has it refused. Raises SessionBusy.
        """
        change_id = new_id("change")
        try:
            epoch = await self._claim(session, change_id)
            give_up = time.monotonic() + CHANGE_S
            while epoch is None and time.monotonic() < give_up:
                await asyncio.sleep(POLL_S)
                epoch = await self._claim(session, change_id)
            if epoch is None:
                raise SessionBusy
            yield await self._fence(session, change_id, epoch)
        except SessionDisplaced as later:
            raise SessionBusy from later
        finally:
            await self.release(session, change_id)

    async def end_call(self, session: Session) -> None:
        """End the call of a session that was deleted, wherever it is; raises nothing.

        One that cannot be told ends as soon as it has something to write.
        """
        try:
            holder = await self._registry.holder(*session)
        except StoreUnavailable as error:
            log.warning("the call of a deleted session was not ended", error=str(error))
            return
        if holder is not None:
            await self._ask_to_leave(holder, session_deleted=True)

    async def _claim(self, session: Session, call_id: str, *, over: str = "", above: int = 0) -> int | None:
        return await self._registry.claim(*session, call_id=call_id, over=over, above=above)

    async def _claim_at_last(self, session: Session, call_id: str) -> int:
        for _ in range(MOST_HOLDERS):
            epoch = await self._claim(session, call_id)
            if epoch is not None:
                return epoch
            holder = await self._registry.holder(*session)
            if holder is None:
                continue
            waits = True
            if self._takes_over:
                waits = await self._ask_to_leave(holder)
            # Without having been asked, too, the old call may just be taking its leave.
            if waits:
                epoch = await self._claim_when_left(session, call_id, holder)
            if epoch is None and self._takes_over:
                epoch = await self._claim(session, call_id, over=holder.call_id)
                if epoch is not None:
                    log.warning("a session was taken from a call that did not leave", call_id=holder.call_id)
            if epoch is not None:
                metrics.takeovers.inc(self._takes_over)
                return epoch
            if not self._takes_over:
                break
        raise SessionBusy

    async def _ask_to_leave(self, holder: CallHolder, *, session_deleted: bool = False) -> bool:
        """Ask a call to leave; whether it is worth waiting for."""
        payload = Leave(call_id=holder.call_id, session_deleted=session_deleted).SerializeToString()
        try:
            await self._bus.request(leave_subject(holder.gateway_id), payload, timeout=LEAVE_S)
        except (NoResponders, TimeoutError, ValueError):  # gone, stuck, or never had an id of this form
            return False
        except BusError as error:
            log.warning("a call was not asked to leave", error=str(error))
        return True

    async def _claim_when_left(self, session: Session, call_id: str, holder: CallHolder) -> int | None:
        """Claim the session once that call has let go of it; None: it does not, or another was quicker."""
        give_up = time.monotonic() + LEAVE_S
        while time.monotonic() < give_up:
            epoch = await self._claim(session, call_id)
            if epoch is not None:
                return epoch
            now = await self._registry.holder(*session)
            if now is not None and now.call_id != holder.call_id:
                return None
            await asyncio.sleep(POLL_S)
        return None

    def _asked_to_leave(self, message: Message) -> None:
        asked = Leave()
        try:
            asked.ParseFromString(message.data)
        except Exception as error:  # noqa: BLE001  (the decoder's error type is not public)
            log.warning("unreadable request to leave", error=str(error))
            return
        self._leave(asked.call_id, asked.session_deleted)
        reply = asyncio.create_task(self._reply(message.reply))
        self._replies.add(reply)
        reply.add_done_callback(self._replies.discard)

    async def _reply(self, subject: str) -> None:
        with suppress(BusError):  # whoever asked takes the session all the same
            await self._bus.publish(subject, b"")
