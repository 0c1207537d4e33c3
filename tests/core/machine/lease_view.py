"""What workers and the broker make of a call's effects: leases, claims and the inputs of legs."""

from __future__ import annotations

from dataclasses import dataclass, field

from dialtone.gateway.core import effects as do
from dialtone.gateway.core.call import Call, CoreEvent

BODIES = {"asr": ("ears", "recording"), "llm": ("turn",), "tts": ("sentence",), "moshi": ("moshi",)}
RESULTS = {"turn_done", "sentence_done", "leg_done", "failed"}


@dataclass
class LeaseSeen:
    body: str
    base: int
    granted: int = -1  # the highest attempt that was
    result: bool = False  # its worker has said that it is at its end
    over: bool = False


@dataclass
class Inputs:
    """What one attempt of a leg was sent."""

    next_seq: int
    positions: dict[int, int] = field(default_factory=dict)


class LeaseView:
    """Fed each event with its effects; raises AssertionError at the first that cannot be right."""

    def __init__(self) -> None:
        self.leases: dict[str, LeaseSeen] = {}
        self._inputs: dict[tuple[str, int], Inputs] = {}

    def take(self, event: CoreEvent, effects: list[do.Effect], call: Call) -> None:
        if isinstance(event, do.WorkerFrame):
            known = self.leases.get(event.event.lease_id)
            if known is not None:
                body = event.event.WhichOneof("body")
                known.result |= body in RESULTS or (known.body == "recording" and body == "transcript")
        cancelled: set[str] = set()
        for effect in effects:
            match effect:
                case do.Submit():
                    self._submitted(effect)
                    cancelled.discard(effect.work.lease_id)
                case do.Cancel(lease_ids):
                    assert lease_ids
                    for lease_id in lease_ids:
                        assert not self.leases[lease_id].over, "cancelled after its end"
                    cancelled.update(lease_ids)
                case do.SendInput():
                    self._sent(effect)
        self._answered(event, effects)
        self._ended(cancelled, call)

    def _submitted(self, effect: do.Submit) -> None:
        work = effect.work
        body = work.WhichOneof("body")
        assert body in BODIES[effect.stage]
        known = self.leases.get(work.lease_id)
        if known is None:
            self.leases[work.lease_id] = LeaseSeen(body, work.attempt_base)
        else:
            assert not known.over
            assert work.attempt_base >= known.base
            assert work.attempt_base > known.granted, "its old holder could claim it again"
            known.base = work.attempt_base

    def _answered(self, event: CoreEvent, effects: list[do.Effect]) -> None:
        answers = [effect for effect in effects if isinstance(effect, do.Answer)]
        if not (isinstance(event, do.WorkerFrame) and event.event.HasField("claim")):
            assert not answers
            return
        assert [answer.reply for answer in answers] == [event.reply], "a claim has one answer"
        grant, attempt = answers[0].grant, event.event.attempt
        lease = self.leases.get(event.event.lease_id)
        if not grant.granted:
            assert grant.reason
            return
        assert lease is not None
        assert not lease.over, "granted after its end"
        assert attempt >= lease.base
        assert attempt > lease.granted, "granted twice"
        lease.granted = attempt
        for leg in ("ears", "moshi"):
            assert grant.HasField(leg) is (lease.body == leg)
        if lease.body in ("ears", "moshi"):
            resume = grant.ears if lease.body == "ears" else grant.moshi
            assert lease.body == "ears" or grant.moshi.start_us <= grant.moshi.live_us
            self._inputs[event.event.lease_id, attempt] = Inputs(resume.next_seq)
            for effect in effects:
                if isinstance(effect, do.SendInput):
                    self._sent(effect)

    def _sent(self, effect: do.SendInput) -> None:
        frame = effect.frame
        attempt = self._inputs.get((frame.lease_id, frame.attempt))
        if attempt is None:
            return  # of the attempt that is granted in this very step: looked at after its grant
        assert frame.seq <= attempt.next_seq, "a hole in the inputs"
        attempt.next_seq = max(attempt.next_seq, frame.seq + 1)
        # Not always as before: in the place of inputs that are not kept stands the format of the next.
        attempt.positions[frame.seq] = frame.start_us
        before = attempt.positions.get(frame.seq - 1)
        assert before is None or before <= frame.start_us, "the audio clock went back"

    def _ended(self, cancelled: set[str], call: Call) -> None:
        """A lease that the call holds no more was cancelled, or had come to its result."""
        held = set(call._ctx.leases.ids())
        assert held <= {lease_id for lease_id, lease in self.leases.items() if not lease.over}
        for lease_id, lease in self.leases.items():
            if not lease.over and lease_id not in held:
                assert lease_id in cancelled or lease.result, "let go without a word to its worker"
                lease.over = True
