"""What the parts of a call share: its time, its configuration, its leases and its outbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dialtone.telemetry.turn_trace import traceparent
from dialtone.v1.ears_pb2 import EarsLeg, Recording
from dialtone.v1.moshi_pb2 import MoshiLeg
from dialtone.v1.speech_pb2 import Sentence
from dialtone.v1.turn_pb2 import LlmTurn
from dialtone.v1.work_pb2 import Work

from . import server_events as out
from .conversation import Conversation
from .effects import Cancel, Effect, Send, Submit
from .lease_table import HeldLease, LeaseTable
from .session import SessionConfig

ASR, LLM, TTS, MOSHI = "asr", "llm", "tts", "moshi"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds and budgets of a call; times in seconds unless the name says otherwise."""

    # Work that nobody claims in this time ends as overloaded.
    claim_s: dict[str, float] = field(default_factory=lambda: {ASR: 8.0, LLM: 5.0, TTS: 5.0, MOSHI: 8.0})
    resubmit_s: float = 0.5  # pause before work is queued again that the broker did not take
    reorder_s: float = 0.1  # for an event that others have overtaken; then it is lost
    # A held lease that says nothing for this long is issued anew, then failed.
    # Legs may be silent while nothing is sent to them.
    silent_s: dict[str, float] = field(default_factory=lambda: {ASR: 5.0, LLM: 20.0, TTS: 15.0, MOSHI: 5.0})
    # Without the broker: until the client is told, until the call ends, and once it is back until work is
    # issued anew of which nothing is heard.
    broker_missed_s: float = 0.4
    broker_away_s: float = 15.0
    broker_back_s: float = 1.0
    # A committed utterance without a transcript after this long counts as not understood.
    transcript_s: float = 20.0
    session_s: float = 3600.0
    # Session fields that the client may not change; see `locks`.
    locked: tuple[str, ...] = ()
    closing_s: float = 60.0  # for finishing after the client said that it will say no more
    # Speech that was sent, beyond what can have been played.
    ahead_us: int = 5_000_000
    sentences_in_flight: int = 2
    # Input audio kept for a new pair of ears.
    replay_idle_us: int = 2_000_000
    replay_us: int = 120_000_000
    # Of what was heard, with which a new Moshi is warmed up; and how late it may be at most.
    moshi_warm_us: int = 4_000_000
    # What legs are sent ahead of what they have heard, so that a recording sent at once does not
    # overrun them, and what may wait for that before the client's socket is no longer read.
    ears_ahead_us: int = 30_000_000
    moshi_ahead_us: int = 5_000_000
    ahead_inputs: int = 2_000
    input_waiting_us: int = 30_000_000
    min_commit_us: int = 100_000
    candidate_pause_ms: int = 250
    candidates_per_turn: int = 3
    # What it takes to interrupt an answer, where a session does not say.
    interrupt_min_speech_ms: int | None = None
    interrupt_min_words: int | None = None
    # Answers to nothing but silence, one after the other.
    idle_answers: int = 3
    # Audio of the user's latest items, for a client that asks for it back.
    item_audio_bytes: int = 512 * 1024
    # Responses in progress beside the one that writes to the conversation.
    responses_beside: int = 8
    # Of the call; 0 is no limit. The protocol's rate limits, which the client is told of.
    requests_per_minute: int = 600
    tokens_per_minute: int = 4_000_000
    # Audio that a client may send: so many times what its call has lasted, and recordings on top; 0: any.
    audio_speed: float = 1.2
    audio_at_once_s: float = 3600.0
    # What a client may put into the conversation; what is said in it is bounded by the session's length.
    conversation_items: int = 10_000
    conversation_bytes: int = 4 * 1024 * 1024
    # Audio of one part of an item, decoded, and such parts that wait for their words. A message on the bus
    # has 1 MiB.
    recording_bytes: int = 900_000
    recordings_awaited: int = 8
    # Of what a model is told at once: a message on the bus has 1 MiB.
    prompt_bytes: int = 900_000
    # The operator's instructions, and what models are told in their place while the user speaks Chinese;
    # empty: the same.
    instructions: str = ""
    instructions_zh: str = ""


class Context:
    """One call's shared ground. Effects are collected here until `Call.handle` returns them."""

    def __init__(
        self,
        *,
        call_id: str,
        session_id: str,
        config: SessionConfig,
        conversation: Conversation,
        new_id: Callable[[str], str],
        limits: Limits,
    ) -> None:
        self.call_id = call_id
        self.session_id = session_id
        self.config = config
        self.conversation = conversation
        self.new_id = new_id
        self.limits = limits
        self.leases = LeaseTable()
        self._heard: dict[str, int] = {}  # response -> the utterance that it answers
        self.now = 0.0
        self._effects: list[Effect] = []

    def emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def send(self, event: out.ServerEvent) -> None:
        self._effects.append(Send(event))

    def drain(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def error(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        event_id: str | None = None,
        type: str = "invalid_request_error",
    ) -> None:
        self.send(out.Error(out.ErrorDetail(type, code, message, param, event_id)))

    def answers(self, response_id: str, utterance: int) -> None:
        """The response is one to this utterance, and belongs into its trace."""
        self._heard[response_id] = utterance

    def forget(self, response_id: str) -> None:
        """The response is over, or never was."""
        self._heard.pop(response_id, None)

    def trace_of(self, response_id: str) -> str:
        """The traceparent of the turn that the response belongs to."""
        utterance = self._heard.get(response_id)
        return traceparent(self.call_id, response_id if utterance is None else utterance)

    def submit(
        self,
        stage: str,
        *,
        ears: EarsLeg | None = None,
        turn: LlmTurn | None = None,
        sentence: Sentence | None = None,
        recording: Recording | None = None,
        moshi: MoshiLeg | None = None,
    ) -> HeldLease:
        """Open a lease on this work and ask for it to be queued."""
        about = turn or sentence
        work = Work(
            lease_id=self.new_id("lease"),
            call_id=self.call_id,
            session_id=self.session_id,
            traceparent=self.trace_of(about.response_id) if about else "",
            ears=ears,
            turn=turn,
            sentence=sentence,
            recording=recording,
            moshi=moshi,
        )
        self.emit(Submit(stage, work))
        return self.leases.open(work, stage, self.now)

    def cancel(self, lease_ids: list[str]) -> None:
        """End these leases; those already over are passed over."""
        running = [lease_id for lease_id in lease_ids if self.leases.get(lease_id)]
        for lease_id in running:
            self.leases.close(lease_id)
        if running:
            self.emit(Cancel(running))
