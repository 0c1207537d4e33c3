"""The life of one lease in a worker, from its delivery to the word that settles it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from google.protobuf.message import DecodeError

from dialtone.bus.connection import Bus, Message, Subscription
from dialtone.bus.delivery import Delivery
from dialtone.bus.errors import BusError, BusUnavailable, HandBack, NoResponders, WorkError
from dialtone.bus.lease import Handler, Lease
from dialtone.bus.subjects import Stage, audio_subject, control_subject
from dialtone.telemetry import bind_call, get_logger
from dialtone.telemetry.metrics import LEASES, WORK_SECONDS
from dialtone.v1.common_pb2 import Error
from dialtone.v1.control_pb2 import Control
from dialtone.v1.ears_pb2 import EarsInput
from dialtone.v1.events_pb2 import Released, WorkFailed
from dialtone.v1.lease_pb2 import Claim, Grant
from dialtone.v1.work_pb2 import Work

_RETRY_DELAYS_S = (0.1, 0.3, 1.0, 2.0)
_UNANSWERED_DELAY_S = 0.5
_GATEWAYS_RETURN_S = 3.0  # when they have lost their connection, and ours held
_SLOW_TO_STOP_S = 2.0
_CALL_CHECK_S = 1.0
_SUPERSEDED = "superseded"
log = get_logger(__name__)
T = TypeVar("T")


class Ending(StrEnum):
    """How a lease ended, as counted."""

    DONE = "done"
    FAILED = "failed"
    RETRIED = "retried"
    HANDED_BACK = "handed_back"
    CANCELLED = "cancelled"  # by the gateway
    REFUSED = "refused"  # the claim
    UNWANTED = "unwanted"  # nobody answers for the call any more
    UNHEARD = "unheard"  # nobody listened for the claim; there may be somebody later
    UNANSWERED = "unanswered"  # the gateway did not answer the claim in time
    FENCED = "fenced"  # another attempt has taken over
    LOST = "lost"  # ownership cannot be proved any more
    UNDECODABLE = "undecodable"


@dataclass(frozen=True, slots=True)
class Terms:
    """What all leases of a worker have in common."""

    bus: Bus
    stage: Stage
    handler: Handler
    worker_id: str
    instance: str
    draining: asyncio.Event


class Holding:
    """Holds one delivery: claims the lease, runs the handler, and acks, naks or lets go."""

    def __init__(self, terms: Terms, delivery: Delivery) -> None:
        self._terms = terms
        self._delivery = delivery
        self._lease: Lease | None = None
        self._work: asyncio.Task[None] | None = None
        self._ending: Ending | None = None  # decided from outside
        self._ended = asyncio.Event()
        self.proven_at = time.monotonic()
        """When the broker last certainly knew that this lease is alive."""

    # --- what happens to it from outside

    @property
    def owned(self) -> bool:
        """Whether no other worker can have been given this work."""
        return time.monotonic() - self.proven_at <= self._terms.bus.settings.lease_ack_wait_s

    @property
    def beating(self) -> bool:
        """Whether the broker is to be told that the work goes on."""
        return self._ending not in (Ending.FENCED, Ending.LOST)

    async def beat(self) -> None:
        """Tell the broker."""
        await self._delivery.in_progress()

    def lose(self) -> None:
        """Stop: somebody else may have the work by now."""
        self._end(Ending.LOST)

    def hand_back(self) -> None:
        """Stop and give the work to another worker."""
        self._end(Ending.HANDED_BACK)

    def wake(self) -> None:
        """Let a leg that waits for input see that the worker is draining."""
        if self._lease is not None:
            self._lease.wake()

    def _end(self, ending: Ending) -> None:
        if self._ending is None or (ending is Ending.LOST and self.beating):
            self._ending = ending
        self._ended.set()
        if self._work is not None:
            self._work.cancel()

    # --- its life

    async def run(self) -> None:
        """Live it to its end. Raises nothing but CancelledError."""
        started = time.monotonic()
        try:
            ending = await self._live()
        except BusError as error:
            log.warning("lease let go", stage=self._terms.stage, error=str(error))
            ending = Ending.LOST
        LEASES.labels(self._terms.stage, ending).inc()
        WORK_SECONDS.labels(self._terms.stage, ending).observe(time.monotonic() - started)

    async def _live(self) -> Ending:
        try:
            work = Work.FromString(self._delivery.data)
            attempt = work.attempt_base + self._delivery.count - 1
            lease = Lease(self._terms.bus, work, attempt, self._terms.draining)
        except (DecodeError, ValueError) as error:
            log.error("work that cannot be read", stage=self._terms.stage, error=str(error))
            await self._delivery.term()
            return Ending.UNDECODABLE
        bind_call(
            call_id=work.call_id, session_id=work.session_id, lease_id=work.lease_id, attempt=lease.attempt
        )
        self._lease = lease
        subscriptions: list[Subscription] = []
        try:
            subscribe = self._terms.bus.subscribe
            subscriptions.append(await subscribe(control_subject(work.call_id), self._on_control))
            if lease.is_leg:
                subscriptions.append(await subscribe(audio_subject(work.call_id), self._on_input))
            return await self._work_for(lease)
        finally:
            for subscription in subscriptions:
                await subscription.unsubscribe()

    async def _work_for(self, lease: Lease) -> Ending:
        """Claim the lease, do its work, settle it.

        Over a long way the answer to the claim costs as much as the work's own two crossings. The grant of a
        first attempt has nothing in it but leave to begin, so that is begun without it when it does not come
        soon: the gateway passes over what is said by somebody whom it refuses. Legs wait: they are told there
        where to begin.
        """
        claim = asyncio.create_task(self._claim(lease))
        try:
            first = lease.attempt == 0 and not lease.is_leg
            wait_s = self._terms.bus.settings.lease_claim_patience_s if first else None
            await asyncio.wait({claim}, timeout=wait_s)
            if claim.done() and (refused := claim.result()) is not None:
                return refused
            error = await self._do(lease, claim)
            refused = await claim
            return await self._settle(lease, error) if refused is None else refused
        finally:
            claim.cancel()

    async def _claim(self, lease: Lease) -> Ending | None:
        """Ask the gateway for the lease; None if it is granted."""
        settings = self._terms.bus.settings
        try:
            claim = Claim(worker_id=self._terms.worker_id, instance=self._terms.instance)
            answer = await lease.ask(timeout=settings.lease_claim_timeout_s, claim=claim)
            grant = Grant.FromString(answer)
        except NoResponders:
            return await self._unheard()
        except (TimeoutError, DecodeError) as error:
            log.warning("claim without a usable answer", stage=self._terms.stage, error=str(error))
            if self.owned:
                await self._delivery.nak(_UNANSWERED_DELAY_S)
            return Ending.UNANSWERED
        if not grant.granted:  # also when others have fenced it by now: the message is to go
            log.info("claim refused", stage=self._terms.stage, reason=grant.reason)
            if grant.reason == _SUPERSEDED:
                return Ending.REFUSED  # an ack would take the message from the one that works on it
            return await self._ack(Ending.REFUSED)
        if self._ending is not None:
            return await self._settle(lease, asyncio.CancelledError())
        lease.granted(grant)
        return None

    async def _unheard(self) -> Ending:
        """Nobody listens for the claim: the call is over, or its gateway is connecting again.

        It may have lost its connection while ours held, to a broker that stood still or a network that is
        cut. No slot is kept waiting for that: the last delivery settles it.
        """
        if self._last_delivery:
            return await self._ack(Ending.UNWANTED)
        if self.owned:
            await self._delivery.nak(self._retry_delay_s)
        return Ending.UNHEARD

    async def _do(self, lease: Lease, claim: asyncio.Task[Ending | None]) -> BaseException | None:
        """Run the handler, until it has ended or the claim is refused; returns what it raised."""
        work = asyncio.ensure_future(self._terms.handler(lease))
        self._work = work
        claim.add_done_callback(self._stop_unless_granted)
        log.debug("begun", stage=self._terms.stage, granted=claim.done())
        ended = asyncio.ensure_future(self._ended.wait())
        watch = asyncio.ensure_future(self._watch_call(lease)) if lease.is_leg else None
        try:
            await asyncio.wait({work, ended}, return_when=asyncio.FIRST_COMPLETED)
            while not work.done():
                done, _ = await asyncio.wait({work}, timeout=_SLOW_TO_STOP_S)
                if not done:
                    log.warning("a handler is slow to stop", stage=self._terms.stage, ending=self._ending)
        finally:
            ended.cancel()
            if watch is not None:
                watch.cancel()
            if not work.done():  # this task itself is cancelled: leave nothing running behind
                work.cancel()
                await asyncio.wait({work}, timeout=_SLOW_TO_STOP_S)
        if work.cancelled():
            return asyncio.CancelledError()
        return work.exception()

    def _stop_unless_granted(self, claim: asyncio.Task[Ending | None]) -> None:
        if claim.cancelled() or claim.exception() is not None or claim.result() is not None:
            self._ended.set()
            if self._work is not None:
                self._work.cancel()

    async def _watch_call(self, lease: Lease) -> None:
        """End a leg whose call is gone without a word, its gateway killed: nothing else would."""
        missed_at: float | None = None
        while True:
            await asyncio.sleep(_CALL_CHECK_S)
            try:
                await lease.knock(timeout=_CALL_CHECK_S)
            except NoResponders:
                now = time.monotonic()
                missed_at = now if missed_at is None else missed_at
                if now - missed_at >= _GATEWAYS_RETURN_S:  # else it may be connecting again
                    log.warning("the call of a leg is gone", stage=self._terms.stage)
                    self._end(Ending.UNWANTED)
                    return
            except (TimeoutError, BusUnavailable):
                missed_at = None  # somebody listens, and has nothing to answer; or nobody knows

    async def _settle(self, lease: Lease, error: BaseException | None) -> Ending:
        """Give the broker and the gateway the word that fits how the handler ended."""
        ending = self._ending
        if ending is Ending.FENCED or ending is Ending.LOST or not self.owned:
            log.warning("lease lost", stage=self._terms.stage, ending=ending or Ending.LOST)
            return ending or Ending.LOST
        if ending is Ending.CANCELLED or ending is Ending.UNWANTED:
            return await self._ack(ending)
        if isinstance(error, BusUnavailable):
            raise error
        if ending is Ending.HANDED_BACK and error is not None:
            error = HandBack("the worker is leaving")
        match error:
            case None:
                return await self._done(lease)
            case HandBack():
                log.info("work handed back", stage=self._terms.stage, reason=error.reason)
                await lease.send_now(released=Released(reason=error.reason))
                await self._delivery.nak()
                return Ending.HANDED_BACK
            case WorkError():
                return await self._fail(lease, error)
            case _:
                log.error("a handler broke", stage=self._terms.stage, exc_info=error)
                return await self._fail(lease, WorkError("internal", type(error).__name__, retryable=True))

    async def _fail(self, lease: Lease, error: WorkError) -> Ending:
        final = not error.retryable or self._last_delivery
        log.warning(
            "work failed", stage=self._terms.stage, code=error.code, message=error.message, final=final
        )
        reason = Error(code=error.code, message=error.message, retryable=error.retryable)
        await lease.send_now(failed=WorkFailed(error=reason, final=final))
        if final:
            return await self._ack(Ending.FAILED)
        await self._delivery.nak(self._retry_delay_s)
        return Ending.RETRIED

    @property
    def _last_delivery(self) -> bool:
        return self._delivery.count >= self._terms.bus.settings.work_max_deliver

    @property
    def _retry_delay_s(self) -> float:
        return _RETRY_DELAYS_S[min(self._delivery.count, len(_RETRY_DELAYS_S)) - 1]

    async def _done(self, lease: Lease) -> Ending:
        """Ack, once the broker certainly has the results: those that are lost are to be made again.

        Without that a broker that stands still takes both into its socket, and passes on the ack alone:
        by the time that it moves again, the gateway has another connection.
        """
        bus = self._terms.bus
        taken = await bus.round_trip(timeout=bus.settings.lease_ack_wait_s)
        if not taken or lease.sent_in != bus.generation:
            log.warning("results may be lost", stage=self._terms.stage)
            return Ending.LOST
        return await self._ack(Ending.DONE)

    async def _ack(self, ending: Ending) -> Ending:
        if not self.owned:
            return Ending.LOST
        await self._delivery.ack()
        return ending

    # --- what the gateway says

    def _on_control(self, message: Message) -> None:
        control = _read(Control.FromString, message)
        lease = self._lease
        if control is None or lease is None:
            return
        if control.HasField("ended") or lease.lease_id in control.cancel.lease_ids:
            self._end(Ending.CANCELLED)

    def _on_input(self, message: Message) -> None:
        frame = _read(EarsInput.FromString, message)
        lease = self._lease
        if frame is None or lease is None or frame.lease_id != lease.lease_id:
            return
        if frame.attempt == lease.attempt:
            lease.receive(frame)
        elif frame.attempt > lease.attempt:
            self._end(Ending.FENCED)


def _read(decode: Callable[[bytes], T], message: Message) -> T | None:
    try:
        return decode(message.data)
    except DecodeError:
        log.warning("a message that cannot be read", subject=message.subject)
        return None
