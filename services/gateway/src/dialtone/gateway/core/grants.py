"""What a worker that claims a piece of work is answered, and told to go on from."""

from __future__ import annotations

from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.speech_pb2 import SentenceResume
from dialtone.v1.turn_pb2 import TurnResume

from .answers import Answers
from .context import ASR, LLM, Context
from .input_turns import InputTurns
from .lease_table import HeldLease
from .legs import Legs
from .moshi_link import MoshiLink
from .sayings import Sayings


class Grants:
    def __init__(
        self, context: Context, legs: Legs, turns: InputTurns, answers: Answers, sayings: Sayings
    ) -> None:
        self._ctx = context
        self._legs = legs
        self._turns = turns
        self._answers = answers
        self._sayings = sayings

    def answer(self, lease: HeldLease | None, event: WorkerEvent) -> Grant:
        """The answer to the claim of this lease, which is held by the claimant if it is granted."""
        if lease is None:
            return Grant(granted=False, reason="cancelled")
        if not lease.claim(event.attempt, event.claim.instance, self._ctx.now):
            return Grant(granted=False, reason=lease.refusal(event.attempt))
        leg = self._legs.by_lease(lease.id)
        if isinstance(leg, MoshiLink):
            self._sayings.lost()
            return Grant(granted=True, moshi=leg.resume(next_utterance=self._sayings.next_number))
        if leg is not None:
            number, start_us = self._turns.resume_at()
            ears = self._legs.ears.resume(next_utterance=number, speech_start_us=start_us)
            return Grant(granted=True, ears=ears)
        if lease.stage == ASR:
            return Grant(granted=True)
        text, delivered_us = self._answers.delivered(lease)
        if lease.stage == LLM:
            return Grant(granted=True, turn=TurnResume(delivered_text=text) if text else None)
        resume = SentenceResume(delivered_us=delivered_us) if delivered_us else None
        return Grant(granted=True, sentence=resume)
