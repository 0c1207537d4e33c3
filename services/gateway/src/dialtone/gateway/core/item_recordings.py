"""Recordings in the items that a client adds: each is transcribed by work of its own, and its words put
into its part of the item."""

from __future__ import annotations

from dataclasses import dataclass

from dialtone.v1.ears_pb2 import Recording, Transcript

from .client_events import CreateItem
from .context import ASR, Context
from .effects import PutItem
from .field_rules import FieldError
from .formats import audio_format, transcription
from .item_audio import ItemAudio
from .item_words import tell_failure, tell_words, with_words
from .items import MessageItem


@dataclass(frozen=True, slots=True)
class Awaited:
    """A part of an item whose words are to come."""

    item_id: str
    index: int
    duration_us: int
    due: float  # its words are not waited for any longer


class ItemRecordings:
    """The recordings on their way to words, by the lease of their work. Their number is bounded, and so is
    the time of each."""

    def __init__(self, context: Context, audio: ItemAudio) -> None:
        self._ctx = context
        self._audio = audio
        self._awaited: dict[str, Awaited] = {}
        self._heard_us: int | None = None  # of those that came to their end since it was asked last

    @property
    def awaited(self) -> bool:
        return bool(self._awaited)

    def has(self, lease_id: str) -> bool:
        return lease_id in self._awaited

    # --- the client's side

    def refusal(self, event: CreateItem) -> FieldError | None:
        """Why these recordings are not taken, if they are not."""
        limits, form = self._ctx.limits, self._ctx.config.audio.input.format
        for index, audio in event.recordings.items():
            param = f"item.content[{index}].audio"
            if len(audio) > limits.recording_bytes:
                text = (
                    f"Invalid '{param}'. The audio of a part holds at most {limits.recording_bytes} bytes; "
                    "send a longer one with input_audio_buffer.append."
                )
                return FieldError(param, "invalid_value", text)
            if len(audio) % (form.bytes_per_second // form.sample_rate):
                text = f"Invalid '{param}'. Expected whole samples in the session's input format."
                return FieldError(param, "invalid_value", text)
        if len(self._awaited) + len(event.recordings) > limits.recordings_awaited:
            text = (
                f"At most {limits.recordings_awaited} recordings in items wait for their words at a time; "
                "wait for those before."
            )
            return FieldError("item.content", "too_many_recordings", text)
        return None

    def begin(self, item: MessageItem, recordings: dict[int, bytes]) -> None:
        """Have the recordings of a new item, by the index of their part, transcribed."""
        ctx = self._ctx
        form = ctx.config.audio.input.format
        for index, audio in recordings.items():
            work = Recording(
                audio=audio,
                format=audio_format(form),
                transcription=transcription(ctx.config, partials=False),
            )
            duration_us = len(audio) * 1_000_000 // form.bytes_per_second
            due = ctx.now + ctx.limits.transcript_s + duration_us / 1e6
            lease = ctx.submit(ASR, recording=work)
            self._awaited[lease.id] = Awaited(item.id, index, duration_us, due)
        if len(item.content) == 1:  # whose audio it is needs no telling
            for audio in recordings.values():
                self._audio.keep(item.id, form, audio)

    def forget(self, item_id: str) -> None:
        """The item is deleted: nobody waits for its words."""
        leases = [lease_id for lease_id, awaited in self._awaited.items() if awaited.item_id == item_id]
        for lease_id in leases:
            del self._awaited[lease_id]
            self._heard_us = self._heard_us or 0
        self._ctx.cancel(leases)

    # --- words

    def take(self, lease_id: str, event: Transcript) -> None:
        """What the worker of a recording says of it."""
        if event.kind != Transcript.KIND_FINAL:
            return
        self._ctx.leases.close(lease_id)
        if event.HasField("error"):
            self._fail(lease_id, event.error.code, event.error.message)
            return
        ctx, awaited = self._ctx, self._awaited.pop(lease_id)
        self._heard_us = (self._heard_us or 0) + awaited.duration_us
        item = with_words(ctx.conversation.get(awaited.item_id), awaited.index, event.text)
        if item is not None:
            ctx.conversation.replace(item)
            ctx.emit(PutItem(item, ctx.conversation.previous_id(item.id)))
        tell_words(ctx, awaited.item_id, awaited.index, event.text, event.text, awaited.duration_us)

    def failed(self, lease_id: str, code: str, message: str) -> None:
        """The work will not be done."""
        self._ctx.cancel([lease_id])
        self._fail(lease_id, code, message)

    def _fail(self, lease_id: str, code: str, message: str) -> None:
        awaited = self._awaited.pop(lease_id)
        self._heard_us = self._heard_us or 0
        tell_failure(self._ctx, awaited.item_id, awaited.index, code, message)

    def settled(self) -> int | None:
        """Microseconds heard in recordings that came to their end since this was asked last; None if
        none did."""
        heard_us, self._heard_us = self._heard_us, None
        return heard_us

    # --- time

    def due(self) -> float | None:
        """When the first is overdue. Whoever works on it may be silent until then: the broker sees to it
        that another takes over from a worker that is gone."""
        return min((awaited.due for awaited in self._awaited.values()), default=None)

    def give_up_overdue(self) -> None:
        """Recordings whose words do not come are not waited for any longer."""
        for lease_id, awaited in list(self._awaited.items()):
            if awaited.due <= self._ctx.now:
                self.failed(lease_id, "transcription_timeout", "No transcript came in time.")
