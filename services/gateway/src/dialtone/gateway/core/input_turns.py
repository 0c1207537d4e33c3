"""What the user says: utterances, from the first sound to the item with its words."""

from __future__ import annotations

from dataclasses import dataclass, field

from dialtone.v1.ears_pb2 import SpeechStarted, SpeechStopped, Transcript

from . import server_events as out
from .context import Context
from .ears_link import EarsLink
from .effects import PutItem
from .item_audio import ItemAudio
from .item_words import tell_failure, tell_words, with_words
from .items import InputAudio, MessageItem
from .partial_words import AgreedWords
from .timing import TurnMarks

# Ears count in samples of their own rate: they may place a sound this much before where it was sent.
ROUNDING_US = 30_000


@dataclass(slots=True)
class Utterance:
    number: int
    item_id: str
    start_us: int
    end_us: int = 0
    committed: bool = False
    announced: bool = False  # the client knows that it began; not so one that may be a backchannel
    backchannel: bool = False  # it was over before it had been enough to interrupt the answer
    unwanted: bool = False  # the client has cancelled the response to it
    sustained: bool = False  # it has been speech for as long as it takes to interrupt
    words: int = 0  # at most, of those that were heard of it so far
    candidates: int = 0
    doubtful: bool = False  # new ears begin before it, and have not told of it yet
    transcript_due: float = 0.0
    told: AgreedWords = field(default_factory=AgreedWords)
    marks: TurnMarks = field(default_factory=TurnMarks)


@dataclass(frozen=True, slots=True)
class Understood:
    """A user's turn has come to its words; no words means that nothing was recognised, or that the
    client has deleted the item meanwhile."""

    utterance: Utterance
    text: str


class InputTurns:
    """The utterances that are open or wait for their words, and the items made of them."""

    def __init__(self, context: Context, ears: EarsLink, audio: ItemAudio) -> None:
        self._ctx = context
        self._ears = ears
        self._audio = audio
        self._utterances: dict[int, Utterance] = {}
        self.next_number = 1
        self._committed_us = 0  # all input before this belongs to items, or was cleared
        self._cleared_us = 0  # all input before this is settled: the client took back what was no item
        self._told_us = 0  # the last place in the input that the client was told
        self.last_ended: Utterance | None = None

    # --- state ---

    @property
    def speaking(self) -> Utterance | None:
        """The utterance that is going on."""
        open_ones = (u for u in self._utterances.values() if not (u.committed or u.doubtful))
        return next(open_ones, None)

    @property
    def going_on(self) -> bool:
        """The user speaks, or what they said has not come to its words."""
        return any(not u.doubtful for u in self._utterances.values())

    @property
    def pending(self) -> bool:
        """Something said has not come to its words."""
        return bool(self._utterances)

    @property
    def awaited(self) -> bool:
        """An item is in the conversation whose words have not come."""
        return any(u.committed for u in self._utterances.values())

    def unwanted(self) -> None:
        """What was said and has not come to its words is to have no answer of its own."""
        for utterance in self._utterances.values():
            utterance.unwanted = utterance.committed

    def resume_at(self) -> tuple[int, int | None]:
        """For new ears: the number of the next utterance to begin, and where the one that goes on
        started. Of utterances that ended without their words the first is begun again: what is
        told of it a second time is known here, only its words are not."""
        first = min(self._utterances.values(), key=lambda u: u.number, default=None)
        if first is None:
            return self.next_number, None
        if not first.committed:
            return first.number + 1, first.start_us
        for utterance in self._utterances.values():
            utterance.doubtful = not utterance.committed
        return first.number, None

    def find(self, number: int) -> Utterance | None:
        return self._utterances.get(number)

    def due(self) -> float | None:
        """When the first of the awaited transcripts is overdue."""
        return min((u.transcript_due for u in self._utterances.values() if u.committed), default=None)

    # --- events of the ears ---

    def started(self, event: SpeechStarted) -> Utterance | None:
        """The user speaks, which the client is told by `announce`. None: this is known already."""
        known = self._utterances.get(event.utterance)
        if known is not None:
            known.doubtful = False
        if event.utterance < self.next_number:
            return None
        if event.audio_start_us < self._cleared_us - ROUNDING_US:  # heard before the ears knew of that
            self.next_number = event.utterance + 1
            return None
        # One is open at a time: an earlier one that was not ended became a part of another.
        for number in [u.number for u in self._utterances.values() if not u.committed]:
            del self._utterances[number]
        return self._begin(event.utterance, event.audio_start_us)

    def announce(self, utterance: Utterance) -> None:
        utterance.announced = True
        start_us = max(utterance.start_us, self._committed_us)  # what is an item already is in no other
        self._ctx.send(out.SpeechStarted(self._tell_ms(start_us), utterance.item_id))

    def _tell_ms(self, us: int) -> int:
        """A place in the input as the client is told it, in ms: none is before the last, and none after
        what was sent. Ears that begin anew may draw the line between two utterances elsewhere."""
        self._told_us = max(self._told_us, min(us, self._ears.input_us))
        return self._told_us // 1000

    def _begin(self, number: int, start_us: int) -> Utterance:
        utterance = Utterance(number, self._ctx.new_id("item"), start_us)
        self._utterances[number] = utterance
        self.next_number = number + 1
        self._let_go()
        return utterance

    def stopped(self, event: SpeechStopped) -> None:
        utterance = self._utterances.get(event.utterance)
        if utterance is None or utterance.committed:
            return
        now = self._ctx.now
        utterance.end_us = min(event.audio_end_us, self._ears.input_us)
        utterance.marks.endpoint = now
        # Audio comes in real time: what was heard since the last voiced sample is how long ago it came.
        utterance.marks.speech_end = now - max(0, self._ears.input_us - event.speech_end_us) / 1e6
        self.last_ended = utterance
        if utterance.announced:
            self._ctx.send(out.SpeechStopped(self._tell_ms(utterance.end_us), utterance.item_id))
        self._commit(utterance)

    def partly_transcribed(self, utterance: Utterance, text: str) -> None:
        """Tell the client the words that will stay."""
        delta = utterance.told.partial(text)
        if delta:
            self._ctx.send(out.TranscriptionDelta(utterance.item_id, 0, delta))

    def transcribed(self, event: Transcript) -> Understood | None:
        """The final words of an utterance; None when it is not one that waits for them."""
        utterance = self._utterances.get(event.utterance)
        if utterance is None or not utterance.committed:
            return None
        del self._utterances[event.utterance]
        self._let_go()
        utterance.marks.transcript = self._ctx.now
        if event.backend:
            utterance.marks.backends["asr"] = event.backend
        error = (event.error.code, event.error.message) if event.HasField("error") else None
        there = self._set_words(utterance, event.text, error, event.audio_end_us - event.audio_start_us)
        return Understood(utterance, event.text if there else "")

    def overdue(self) -> list[Understood]:
        """Give up on transcripts that did not come."""
        late = [u for u in self._utterances.values() if u.committed and u.transcript_due <= self._ctx.now]
        for utterance in late:
            del self._utterances[utterance.number]
            self._let_go()
            self._set_words(utterance, "", ("transcription_timeout", "No transcript came in time."), 0)
        return [Understood(utterance, "") for utterance in late]

    def _let_go(self) -> None:
        """Have only that input kept that is not settled."""
        starts = [u.start_us for u in self._utterances.values()]
        self._ears.keep_from(min(starts, default=self._committed_us), in_turn=bool(starts))

    def _set_words(
        self, utterance: Utterance, text: str, error: tuple[str, str] | None, duration_us: int
    ) -> bool:
        """Put the words into the utterance's item, and tell them. False if the client has deleted it."""
        ctx = self._ctx
        item = with_words(ctx.conversation.get(utterance.item_id), 0, text)
        there = item is not None and len(item.content) == 1  # no other under its id
        if item is not None and there:
            ctx.conversation.replace(item)
            ctx.emit(PutItem(item, ctx.conversation.previous_id(item.id)))
        if error:
            tell_failure(ctx, utterance.item_id, 0, *error)
        else:
            tell_words(ctx, utterance.item_id, 0, text, utterance.told.rest(text), duration_us)
        return there

    # --- the client's side ---

    def commit(self) -> bool:
        """Make an item of the audio since the last turn; False when there is too little of it."""
        utterance = self.speaking
        if utterance is None:
            if self.buffered_us() < self._ctx.limits.min_commit_us:
                return False
            utterance = self._begin(self.next_number, self._buffered_from_us)
        utterance.end_us = self._ears.input_us
        utterance.marks.endpoint = utterance.marks.speech_end = self._ctx.now
        self._ears.commit(utterance.number)
        self._commit(utterance)
        return True

    def commit_silence(self, length_us: int) -> str:
        """Make an item of the last of the input, in which nothing was said; its id.

        The ears are not told: should the user begin to speak at this moment, they are to hear it.
        """
        end_us = self._ears.input_us
        start_us = max(self._committed_us, end_us - length_us)
        silence = Utterance(0, self._ctx.new_id("item"), start_us, end_us)
        place = self._tell_ms(start_us), self._tell_ms(end_us)
        self._ctx.send(out.TimeoutTriggered(*place, silence.item_id))
        self._commit(silence)
        self._let_go()
        self._set_words(silence, "", None, end_us - start_us)
        return silence.item_id

    def buffered_us(self) -> int:
        return self._ears.input_us - self._buffered_from_us

    @property
    def _buffered_from_us(self) -> int:
        return max(self._committed_us, self._ears.passed_us)

    def clear(self) -> None:
        """Forget audio that is no item yet."""
        utterance = self.speaking
        if utterance is not None:
            del self._utterances[utterance.number]
        self._committed_us = self._cleared_us = self._ears.input_us
        self._ears.clear()
        self._let_go()

    def _commit(self, utterance: Utterance) -> None:
        ctx = self._ctx
        utterance.committed = True
        # A recording sent at once takes the ears some time to hear, though less than it lasts.
        since_us = min((u.start_us for u in self._utterances.values()), default=utterance.start_us)
        utterance.transcript_due = ctx.now + ctx.limits.transcript_s + (utterance.end_us - since_us) / 1e6
        self._committed_us = max(self._committed_us, utterance.end_us)
        previous = ctx.conversation.last_id
        audio = self._ears.audio_between(utterance.start_us, utterance.end_us)
        self._audio.keep(utterance.item_id, ctx.config.audio.input.format, audio)
        item = MessageItem(utterance.item_id, "user", [InputAudio()])
        ctx.conversation.append(item)
        ctx.send(out.InputCommitted(item.id, previous))
        ctx.send(out.ItemAdded(item, previous))
        ctx.emit(PutItem(item, previous))  # its words are put into it when they come
        ctx.send(out.ItemDone(item, previous))
