"""The responses of a call: which one speaks, which wait, and the one begun on a guess."""

from __future__ import annotations

from dialtone.v1.common_pb2 import Error
from dialtone.v1.events_pb2 import WorkerEvent

from . import client_events as ask
from .context import LLM, TTS, Context
from .effects import TenantSpent
from .field_rules import FieldError
from .guesses import Guesses
from .input_turns import InputTurns, Understood, Utterance
from .item_recordings import ItemRecordings
from .item_requests import ItemRequests, has_sound
from .items import InputText, MessageItem
from .lease_table import HeldLease
from .model_response import ModelResponse
from .player import Player
from .prompt import turn_that_fits
from .rate_limits import RateLimits
from .response import Response
from .response_input import asked_last, read_input
from .timing import TurnMarks


class Answers:
    """At most one response at a time writes to the conversation; others run beside it."""

    def __init__(
        self, context: Context, turns: InputTurns, recordings: ItemRecordings, items: ItemRequests
    ) -> None:
        self._ctx = context
        self._turns = turns
        self._recordings = recordings
        self._items = items
        self._responses: dict[str, Response] = {}
        self.active: Response | None = None  # the one that writes to the conversation
        self._player = Player(context)
        self.given = 0  # answers to the conversation that came to their end, but for those that failed
        self._waiting: list[ModelResponse] = []  # for the words of what the user said before them
        self._heard_us = 0  # of the user's speech, that no response has had in its context
        self._rates = RateLimits(
            requests_per_minute=context.limits.requests_per_minute,
            tokens_per_minute=context.limits.tokens_per_minute,
        )
        self._owed: Understood | None = None  # a turn to answer when the active response is over
        self._guesses = Guesses(context)

    def tenant_spent(self, event: TenantSpent) -> None:
        """The other calls of the tenant count, too."""
        self._rates.hold(self._ctx.now + event.for_s)

    @property
    def idle(self) -> bool:
        return not self._responses and self._owed is None and not self._recordings.awaited

    @property
    def words_awaited(self) -> bool:
        """An item is in the conversation whose words have not come."""
        return self._turns.awaited or self._recordings.awaited

    @property
    def going(self) -> bool:
        """An answer is being given, or can still be heard."""
        return self.active is not None or self._player.busy_until > self._ctx.now

    @property
    def heard_out_at(self) -> float:
        """When all that was said so far can have been heard."""
        return self._player.busy_until

    @property
    def has_spoken(self) -> bool:
        """The conversation holds an answer's audio: the protocol lets its voice not change any more."""
        speaking = self.active is not None and self.active.speaks and self.active.message_id is not None
        return speaking or any(map(has_sound, self._ctx.conversation))

    # --- beginning ---

    def requested(self, event: ask.CreateResponse) -> None:
        """The client asks for a response."""
        conversational = event.options.conversation == "auto"
        if conversational and self.active is not None:
            self._ctx.error(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.active.id}.",
                event_id=event.event_id,
            )
            return
        if not conversational and self._beside >= self._ctx.limits.responses_beside:
            self._ctx.error(
                "too_many_active_responses",
                f"There are {self._beside} responses beside the conversation in progress, as many as may be; "
                "this response.create is refused.",
                param="response.conversation",
                event_id=event.event_id,
            )
            return
        given = read_input(event.options.input, self._ctx.conversation)
        if isinstance(given, FieldError):
            self._ctx.error(given.code, given.message, param=given.param, event_id=event.event_id)
            return
        if conversational:
            self.drop_speculation()
            self._owed = None  # this response is to all that was said
        response = self._open(event.options, self._ctx.new_id("resp"), TurnMarks(), None)
        response.input = given
        if given.of_conversation and self.words_awaited and not response.over:
            self._waiting.append(response)
        else:
            self._submit(response)

    @property
    def _beside(self) -> int:
        """Responses in progress that do not write to the conversation."""
        return len(self._responses) - (self.active is not None)

    def understood(self, turn: Understood, *, answer: bool) -> None:
        """The user's turn has its words: answer it, if it is to be answered and says anything."""
        self._heard_us += max(0, turn.utterance.end_us - turn.utterance.start_us)
        answered = self.active in self._waiting  # the client asked before the words were there
        self._submit_waiting()
        if answered or not (answer and turn.text):
            self.drop_speculation()
        elif self.active is not None or self._user_goes_on:
            self.drop_speculation()
            self._owed = turn
        else:
            self._owed = None
            self._answer(turn)

    def _submit_waiting(self) -> None:
        """Ask the model what waits for words, if all of them are there."""
        if self.words_awaited:
            return
        waiting, self._waiting = self._waiting, []
        for response in waiting:
            self._submit(response)

    @property
    def _user_goes_on(self) -> bool:
        """More is being said, and is not to be spoken over, or comes to words: it belongs to the question."""
        return self._recordings.awaited or (self._ctx.config.interrupts and self._turns.going_on)

    def answer_owed(self) -> None:
        """Ask for what waited for the words of recordings, and answer the turn that waits, unless something
        still stands in its way."""
        heard_us = self._recordings.settled()
        if heard_us is not None:
            self._heard_us += heard_us
            self.drop_speculation()  # it was told less
            self._submit_waiting()
        if self._owed is not None and self.active is None and not self._user_goes_on:
            turn, self._owed = self._owed, None
            if turn.utterance.item_id in self._ctx.conversation:  # not deleted meanwhile
                self._answer(turn)

    def begin(self, user_item_id: str, *, note: str) -> None:
        """Answer the conversation as it stands; the model is told `note`, in this turn alone."""
        self.drop_speculation()
        response = self._open(ask.ResponseOptions(), self._ctx.new_id("resp"), TurnMarks(), user_item_id)
        self._submit(response, note=note)

    def _answer(self, turn: Understood) -> None:
        utterance = turn.utterance
        guess = self._guesses.take(utterance.item_id, turn.text)
        if guess is not None:
            response = self._answer_to(utterance, guess.response_id)
            if response.over:
                guess.cancel()
                return
            response.adopt(guess)
            self._count_heard(response)
            for event in guess.kept:
                lease = self._ctx.leases.get(event.lease_id)
                if lease is not None:
                    self._apply(response, lease, event)
            return
        self._submit(self._answer_to(utterance, self._ctx.new_id("resp")))

    def _answer_to(self, utterance: Utterance, response_id: str) -> ModelResponse:
        self._ctx.answers(response_id, utterance.number)
        return self._open(ask.ResponseOptions(), response_id, utterance.marks, utterance.item_id)

    def _open(
        self, options: ask.ResponseOptions, response_id: str, marks: TurnMarks, user_item_id: str | None
    ) -> ModelResponse:
        response = ModelResponse(
            self._ctx,
            options,
            response_id=response_id,
            marks=marks,
            user_item_id=user_item_id,
            busy_until=self.player_busy_until,
        )
        self.admit(response)
        return response

    @property
    def player_busy_until(self) -> float:
        """When a response that begins now can be heard at the earliest."""
        # Without turn detection only the client knows when it fell silent: reckon that it has.
        detection = self._ctx.config.audio.input.turn_detection
        return self._player.busy_until if detection is not None else 0.0

    def admit(self, response: Response) -> None:
        """Count it, and have it write to the conversation if it does; over the limits it fails."""
        self._responses[response.id] = response
        if response.conversational:
            self.active = response
        refused = self._rates.admit(self._ctx.now)
        if refused is not None:
            response.fail("rate_limit_exceeded", refused)
            self.settled(response)

    def _count_heard(self, response: ModelResponse) -> None:
        if response.input.items is None:
            response.count.heard_us, self._heard_us = self._heard_us, 0

    def _submit(self, response: ModelResponse, *, note: str = "") -> None:
        if response.over:
            return
        items = response.input.now(self._ctx.conversation)
        if response.user_item_id is not None:
            items = asked_last(items, response.user_item_id)
        if note:
            items.append(MessageItem("", "system", [InputText(note)]))
        turn = turn_that_fits(self._ctx, response.options, items, response.id)
        if turn is None:
            text = "What the model would have to be told is too long, and may not or cannot be shortened."
            response.fail("context_length_exceeded", text)
            self.settled(response)
            return
        self._count_heard(response)
        response.submit(turn)

    # --- guessing ---

    def candidate(self, utterance: Utterance, text: str) -> None:
        """The user pauses after `text`: begin to answer it, in case that was all."""
        if self.active is None:
            self._guesses.begin(utterance, text)

    def drop_speculation(self) -> None:
        self._guesses.drop()

    # --- ending ---

    def interrupted(self) -> None:
        """The user speaks over the answer: what is not heard yet never will be."""
        if self.active is not None:
            self._end(self.active, "turn_detected")
        cut = [self._items.interrupt(item_id, played_us) for item_id, played_us in self._player.interrupted()]
        if any(cut):
            self.drop_speculation()  # it was told what the user did not hear

    def truncate(self, event: ask.TruncateItem) -> None:
        """The client has stopped playing an answer, perhaps one that is still being given: then no
        more of it is said, and the response ends when the model does."""
        self.drop_speculation()
        active, item = self.active, self._ctx.conversation.get(event.item_id)
        given = item is not None and item.status == "in_progress"  # or the client put it where one was
        if not given or active is None or not active.speaks or active.message_id != event.item_id:
            if self._items.truncate(event, None):
                self._player.silenced()
        elif self._items.truncate(event, active.speech):
            active.settle()
            self.settled(active)
            self._player.silenced()

    def cancelled(self, event: ask.CancelResponse) -> None:
        response = self.active if event.response_id is None else self._responses.get(event.response_id)
        if response is None:
            self._ctx.error(
                "response_cancel_not_active",
                "Cancellation failed: no active response found",
                event_id=event.event_id,
            )
            return
        if response is self.active and response in self._waiting:
            self._turns.unwanted()
        self._end(response, "client_cancelled")
        if response.conversational:
            self._player.silenced()  # who cancels stops playing

    def _end(self, response: Response, reason: str) -> None:
        response.cancel("turn_detected" if reason == "turn_detected" else "client_cancelled")
        self.settled(response)

    def end_all(self) -> None:
        """The call is over."""
        self._owed = None
        self.drop_speculation()
        for response in list(self._responses.values()):
            self._end(response, "client_cancelled")

    def settled(self, response: Response) -> None:
        """Let go of it if it is over."""
        if not response.over or self._responses.pop(response.id, None) is None:
            return
        self._waiting = [waiting for waiting in self._waiting if waiting is not response]
        item_id = response.message_id
        if item_id is not None and response.speaks and response.wrote(self._ctx.conversation.get(item_id)):
            self._items.remember_speech(item_id, response.speech.spoken())
        self._rates.used(response.usage.total_tokens, self._ctx.now)
        if response.conversational:
            updated = self._rates.updated(self._ctx.now)
            if updated is not None:
                self._ctx.send(updated)
        if self.active is response:
            self.active = None
            self.given += response.status != "failed"
            self._player.sent(response)

    # --- what workers say ---

    def _modelled(self) -> list[ModelResponse]:
        return [response for response in self._responses.values() if isinstance(response, ModelResponse)]

    def _owner(self, lease_id: str) -> ModelResponse | None:
        for response in self._modelled():
            if lease_id == response.lease_id or response.speech.has(lease_id):
                return response
        return None

    def worker_event(self, lease: HeldLease, event: WorkerEvent) -> None:
        if self._guesses.owns(lease.id):
            self._guesses.keep(lease, event)
            return
        response = self._owner(lease.id)
        if response is not None:
            self._apply(response, lease, event)

    def _apply(self, response: ModelResponse, lease: HeldLease, event: WorkerEvent) -> None:
        body = event.WhichOneof("body")
        if body == "text":
            response.answered_by(event.text.by)
            response.model_text(event.text.text)
        elif body == "tool_call":
            response.answered_by(event.tool_call.by)
            response.model_tool_call(event.tool_call)
        elif body == "turn_done":
            response.model_done(event.turn_done)
        elif body == "audio":
            response.speech.chunk(lease.id, event.audio)
        elif body == "sentence_done":
            response.speech.finished(lease.id, event.sentence_done)
            response.settle()
        elif body == "failed" and event.failed.final:
            self._fail(response, lease, event.failed.error)
        self.settled(response)

    def _fail(self, response: ModelResponse, lease: HeldLease, error: Error) -> None:
        if lease.stage == TTS:
            self._ctx.leases.close(lease.id)
            response.speech.failed(lease.id, error)
            response.settle()
        else:
            response.fail(error.code or "model_failed", error.message or "The model failed.")

    def work_failed(self, lease: HeldLease, code: str, message: str) -> None:
        """The work will not be done: nobody took it, or whoever did fell silent too often."""
        if self._guesses.owns(lease.id):
            self.drop_speculation()
            return
        response = self._owner(lease.id)
        if response is not None:
            self._fail(response, lease, Error(code=code, message=message))
            self.settled(response)

    def delivered(self, lease: HeldLease) -> tuple[str, int]:
        """What came of this work so far: text of a turn, microseconds of a sentence."""
        if self._guesses.owns(lease.id):
            return self._guesses.delivered(lease)
        response = self._owner(lease.id)
        if response is None:
            return "", 0
        if lease.stage == LLM:
            response.model_restarted()
            return response.text, 0
        return "", response.speech.delivered_us(lease.id)

    # --- time ---

    def pump(self) -> None:
        for response in self._modelled():
            if response.speech.pump_at is not None and response.speech.pump_at <= self._ctx.now:
                response.speech.pump()

    def due(self) -> float | None:
        times = (response.speech.pump_at for response in self._modelled())
        return min((time for time in times if time is not None), default=None)
