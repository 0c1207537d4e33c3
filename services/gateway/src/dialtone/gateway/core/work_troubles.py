"""Work that is not done as it should be: not queued, not taken, given up, or not heard of any more.

It is put on its queue again while that may help, and given up, with a reason for the client, when not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from dialtone.v1.events_pb2 import WorkerEvent

from .answers import Answers
from .context import Context
from .effects import Cancel, Submit, SubmitFailed, WorkerGone
from .item_recordings import ItemRecordings
from .lease_table import HeldLease
from .legs import Legs
from .outage import TRY_AGAIN_LATER, Outage
from .sayings import Sayings


class WorkTroubles:
    """Watches all leases of a call."""

    def __init__(
        self,
        context: Context,
        legs: Legs,
        recordings: ItemRecordings,
        answers: Answers,
        sayings: Sayings,
        outage: Outage,
        *,
        close: Callable[[int, str], None],
    ) -> None:
        """`close` ends the call, with a code and a reason."""
        self._ctx = context
        self._legs = legs
        self._recordings = recordings
        self._answers = answers
        self._sayings = sayings
        self._outage = outage
        self._close = close

    def submit_failed(self, event: SubmitFailed) -> None:
        lease = self._ctx.leases.get(event.lease_id)
        if lease is None or lease.claimed:
            return  # it got onto its queue all the same
        if event.code == "bus_unavailable":  # a broker that restarts is back before the time is up
            lease.submit_again(self._ctx.now + self._ctx.limits.resubmit_s, event.message)
        else:
            self._give_up(lease, event.code, event.message)

    def work_failed(self, lease: HeldLease, event: WorkerEvent) -> None:
        """Its worker says so, for good."""
        if self._legs.by_lease(lease.id) is not None:
            self.issue_anew(lease, event.failed.error.code, event.failed.error.message)
        else:
            self._give_up(lease, event.failed.error.code, event.failed.error.message)

    def worker_gone(self, event: WorkerGone) -> None:
        """Its work is queued again before the queue misses it."""
        for lease in self._ctx.leases.all():
            if lease.held and not lease.finished and lease.holder == event.instance:
                self.issue_anew(lease, "worker_gone", "The worker is gone.")

    def issue_anew(self, lease: HeldLease, code: str, message: str) -> None:
        """Put the work on its queue again, above every attempt so far; give up after a few times."""
        if lease.spent:
            self._give_up(lease, code, message)
        else:
            self._queue_anew(lease, blamed=True)

    def look(self) -> None:
        """Do what is due."""
        now = self._ctx.now
        for lease in self._ctx.leases.all():
            due = self._due(lease)
            if due is None or due > now or self._ctx.leases.get(lease.id) is None:
                continue  # or the end of another has ended it just now
            if lease.doubted(now) or (lease.has_lost_events(now) and lease.doubted_by is not None):
                self._queue_anew(lease, blamed=False)
            elif lease.has_lost_events(now):
                self.issue_anew(lease, "lost_events", "Events of the work were lost.")
            elif lease.held:
                self.issue_anew(lease, "worker_silent", "The worker fell silent.")
            elif now < lease.submitted_at + self._ctx.limits.claim_s[lease.stage]:
                lease.submit_at = None
                self._ctx.emit(Submit(lease.stage, lease.work))
            elif lease.trouble:
                self._give_up(lease, "bus_unavailable", lease.trouble)
            else:
                self._give_up(lease, "overloaded", f"No {lease.stage} worker took the work in time.")

    def due(self) -> float | None:
        """When to look again."""
        times = map(self._due, self._ctx.leases.all())
        return min((time for time in times if time is not None), default=None)

    def _due(self, lease: HeldLease) -> float | None:
        if self._outage.now:
            return None
        limits, since = self._ctx.limits, lease.last_event_at
        if self._recordings.has(lease.id):  # what is waited for is its end
            since = math.inf
        elif (leg := self._legs.by_lease(lease.id)) is not None:  # silent as long as its caller is
            unheard = leg.unheard_since
            since = math.inf if unheard is None else max(unheard, since)
        return lease.due(limits.claim_s[lease.stage], since + limits.silent_s[lease.stage])

    def _queue_anew(self, lease: HeldLease, *, blamed: bool) -> None:
        if lease.held:  # whoever has it would work on for nothing, in a slot that the new attempt may need
            self._ctx.emit(Cancel([lease.id]))
        if self._is_moshi(lease):
            self._sayings.lost()
        self._ctx.emit(Submit(lease.stage, lease.issue_anew(self._ctx.now, blamed=blamed)))

    def _give_up(self, lease: HeldLease, code: str, message: str) -> None:
        if self._recordings.has(lease.id):
            self._recordings.failed(lease.id, code, message)
            return
        if self._is_moshi(lease):
            self._ctx.error(code, f"The call cannot be answered: {message}", type="server_error")
            self._close(TRY_AGAIN_LATER, "no moshi")
            return
        if self._legs.by_lease(lease.id) is not None:
            self._give_up_ears(code, message)
            return
        self._ctx.cancel([lease.id])
        self._answers.work_failed(lease, code, message)

    def _give_up_ears(self, code: str, message: str) -> None:
        if self._legs.moshi is None:
            self._ctx.error(code, f"The call cannot be heard: {message}", type="server_error")
            self._close(TRY_AGAIN_LATER, "no ears")
            return
        # Moshi hears the call, and goes on with it.
        self._ctx.error(code, f"What the user says is not told any more: {message}", type="server_error")
        self._legs.ears.give_up()

    def _is_moshi(self, lease: HeldLease) -> bool:
        moshi = self._legs.moshi
        return moshi is not None and lease.id == moshi.lease_id
