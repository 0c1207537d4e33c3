"""The leases of a call: who may speak for which piece of work, and what it said last.

A lease is offered (submitted, nobody has it), held (claimed by an attempt) or over. Only events of
the holding attempt, in sequence, are let through; see docs/architecture.md, "Leases".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.work_pb2 import Work

# A work item issued anew outranks every delivery of its older message (at most 5 of each).
ATTEMPTS_PER_ISSUE = 16
MAX_ISSUES = 3
LEGS = ("ears", "moshi")  # bodies of work that lasts as long as its call
STEADY_S = 5.0  # a leg that one worker held for this long is no poison
EARLY_EVENTS = 64  # kept while something before them is missing


@dataclass(slots=True)
class HeldLease:
    """One piece of work of the call."""

    work: Work
    stage: str
    submitted_at: float
    attempt: int = -1  # of the holder; while only offered, the highest that is void
    held: bool = False
    holder: str = ""  # the instance of the worker
    held_since: float = 0.0
    next_seq: int = 0
    issues: int = 1
    last_event_at: float = 0.0
    submit_at: float | None = None  # it did not get onto its queue, and is to be tried again then
    trouble: str = ""  # why it did not
    finished: bool = False  # its result is here, and is kept until it is known to be wanted
    doubted_by: float | None = None  # the broker was away: it is to be heard of by then
    early: dict[int, WorkerEvent] = field(default_factory=dict)  # by number: something before them is missing
    missing_by: float | None = None  # when that is to be here

    @property
    def id(self) -> str:
        return self.work.lease_id

    @property
    def claimed(self) -> bool:
        """Whether somebody has it, or had it since it was issued last."""
        return self.attempt >= self.work.attempt_base

    def claim(self, attempt: int, holder: str, now: float) -> bool:
        """Give the lease to this attempt by this worker, unless one as high has had it already."""
        if attempt <= self.attempt or attempt < self.work.attempt_base:
            return False
        self.attempt, self.holder = attempt, holder
        self.held, self.held_since = True, now
        self.submit_at, self.trouble, self.doubted_by = None, "", None
        self._forget_early()
        self.next_seq = 1  # the claim itself is number 0
        self.last_event_at = now
        return True

    def refusal(self, attempt: int) -> str:
        """Why the claim of this attempt was refused.

        An attempt that a later delivery of the same message has overtaken is "superseded": the message is
        the other's, and to ack it would take it away from under it. One of an older message is "void".
        """
        return "void" if attempt < self.work.attempt_base else "superseded"

    def due(self, claim_s: float, silent_at: float) -> float | None:
        """When something is to be done about it; a holder is suspect from `silent_at` on."""
        due = silent_at
        if not self.held:
            due = min(self.submitted_at + claim_s, math.inf if self.submit_at is None else self.submit_at)
        elif self.finished:
            return None
        for by in (self.doubted_by, self.missing_by):
            due = due if by is None else min(due, by)
        return None if due == math.inf else due

    def doubt(self, now: float, *, by: float) -> None:
        """The broker is back: what was said of this may be lost, the last words too."""
        if self.finished:
            return
        if not self.held:
            self.submitted_at = now
        self.last_event_at = now
        if self.submit_at is None:  # else it is not on its queue, and comes there now
            self.doubted_by = by

    def doubted(self, now: float) -> bool:
        """Nothing was heard of it since the broker came back."""
        return self.doubted_by is not None and now >= self.doubted_by

    def has_lost_events(self, now: float) -> bool:
        """Something is missing, and did not come in time."""
        return self.missing_by is not None and now >= self.missing_by

    def take(self, event: WorkerEvent, now: float, *, patience_s: float) -> list[WorkerEvent]:
        """The events that may be let through now that this one is here, in the order of their numbers.

        What is of another attempt or was here before is dropped; what is ahead of its turn is kept, for
        `patience_s` at most.
        """
        if event.attempt != self.attempt or event.seq < self.next_seq:
            return []
        self.last_event_at = now
        self.early.setdefault(event.seq, event)
        ready = []
        while (following := self.early.pop(self.next_seq, None)) is not None:
            ready.append(following)
            self.next_seq += 1
        if ready:
            self.doubted_by = None
            if self.work.WhichOneof("body") in LEGS and now - self.held_since >= STEADY_S:
                self.issues = 1  # it lasts as long as its call, and loses a worker now and then
        if not self.early:
            self.missing_by = None
        elif len(self.early) >= EARLY_EVENTS:
            self.missing_by = now
        elif ready or self.missing_by is None:
            self.missing_by = now + patience_s
        return ready

    def _forget_early(self) -> None:
        self.early.clear()
        self.missing_by = None

    def released(self, now: float) -> None:
        """The holder gave it back: it is on offer again."""
        self.held = False
        self.submitted_at = now

    def submit_again(self, at: float, trouble: str) -> None:
        self.submit_at, self.trouble = at, trouble

    @property
    def spent(self) -> bool:
        """It was issued as often as it may be."""
        return self.issues >= MAX_ISSUES

    def issue_anew(self, now: float, *, blamed: bool) -> Work:
        """The work for another round of attempts. `blamed`: that counts, for the work may be the reason."""
        self.issues += blamed
        self.work.attempt_base = max(self.attempt, self.work.attempt_base) + ATTEMPTS_PER_ISSUE
        self.attempt = self.work.attempt_base - 1  # whatever is below is void from now on
        self.submit_at, self.trouble, self.doubted_by = None, "", None
        self._forget_early()
        self.released(now)
        return self.work


class LeaseTable:
    """The leases of one call that are not over, by id."""

    def __init__(self) -> None:
        self._leases: dict[str, HeldLease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def open(self, work: Work, stage: str, now: float) -> HeldLease:
        lease = HeldLease(work=work, stage=stage, submitted_at=now)
        self._leases[lease.id] = lease
        return lease

    def get(self, lease_id: str) -> HeldLease | None:
        return self._leases.get(lease_id)

    def close(self, lease_id: str) -> None:
        """The work is over; what still arrives for it is dropped, and a claim of it refused."""
        self._leases.pop(lease_id, None)

    def ids(self) -> list[str]:
        return list(self._leases)

    def all(self) -> list[HeldLease]:
        return list(self._leases.values())
