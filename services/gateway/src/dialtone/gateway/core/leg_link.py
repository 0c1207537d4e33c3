"""The call's end of a leg: the input audio clock, the order of its inputs, and what is kept of them for a
worker that has to start over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from dialtone.v1.ears_pb2 import AudioProgress, EarsInput, EndOfInput
from dialtone.v1.events_pb2 import WorkerEvent

from .context import Context
from .effects import SendInput
from .formats import audio_format


class LegLink(ABC):
    """Sends audio and markers to a leg in one sequence; leases the leg when there is audio.

    Inputs are kept, within bounds, and sent again to each new attempt, as far as its kind of leg needs them.
    Times are microseconds of audio since the call began.

    A client may send minutes at once, a recording faster than it plays, and a new attempt is sent again what
    was kept: a leg gets only so much ahead of what it says it has heard, the rest waits here.
    """

    def __init__(self, context: Context, *, ahead_us: int) -> None:
        """`ahead_us`: how much it may be sent ahead of what it has heard."""
        self._ctx = context
        self._ahead_us = ahead_us
        self._format = context.config.audio.input.format
        self._bytes = 0  # of the present format, since it was set
        self._format_start_us = 0
        self.input_us = 0
        self._next_seq = 1
        self._kept: deque[EarsInput] = deque()
        self._unsent = 1  # the first input that the attempt that listens now was not sent
        self._never_sent = 1  # the first that none was sent
        self._heard_seq = 1  # the first that the attempt that listens now has not heard
        self._heard_us = 0  # how far it has listened
        self.unheard_since: float | None = None  # when the oldest input was sent that it has not
        self.lease_id = ""
        self._leg_format = audio_format(self._format)  # what every attempt starts with
        self._kept_format = self._leg_format  # of the first input kept
        self.ended = False

    @property
    def leased(self) -> bool:
        return bool(self.lease_id)

    @property
    def _attempt(self) -> int | None:
        """The attempt that listens now."""
        lease = self._ctx.leases.get(self.lease_id)
        return lease.attempt if lease and lease.held else None

    def lease(self) -> None:
        """Ask for a worker, unless the call has one."""
        if self.lease_id:
            return
        self._leg_format = self._kept_format = audio_format(self._format)
        self.lease_id = self._submit()

    @abstractmethod
    def _submit(self) -> str:
        """Submit the work of the leg; the id of its lease."""

    @abstractmethod
    def _needed_from_us(self, heard_us: int) -> int:
        """Where that begins which a new attempt would need, of what was heard up to this point."""

    # --- inputs ---

    def append(self, audio: bytes) -> None:
        """Audio in the client's format, of any length: it goes out in frames of a second at most."""
        second = self._format.bytes_per_second
        for at in range(0, len(audio), second):
            frame = audio[at : at + second]
            self._put(EarsInput(start_us=self.input_us, audio=frame))
            self._move_on(len(frame))
        self._trim()

    def _move_on(self, size: int) -> None:
        self._bytes += size
        self.input_us = self._format_start_us + self._bytes * 1_000_000 // self._format.bytes_per_second

    @property
    def full(self) -> bool:
        """So much waits to be sent that no more is to be taken from the client for now."""
        if self._never_sent == self._next_seq:
            return False
        waits_since = self._kept[self._index(self._never_sent)].start_us
        return self.input_us - waits_since > self._ctx.limits.input_waiting_us

    def end(self) -> None:
        self.ended = True
        self._put(EarsInput(start_us=self.input_us, end=EndOfInput()))

    def reconfigure(self) -> None:
        """Tell the leg what changed in the session."""
        wire = self._ctx.config.audio.input.format
        if wire != self._format:
            self._format, self._bytes, self._format_start_us = wire, 0, self.input_us
            if self.lease_id:
                self._put(EarsInput(start_us=self.input_us, format=audio_format(wire)))

    def _put(self, frame: EarsInput) -> None:
        frame.lease_id = self.lease_id
        frame.seq = self._next_seq
        self._next_seq += 1
        self._kept.append(frame)
        if self.unheard_since is None:
            self.unheard_since = self._ctx.now
        self._send_on()

    def _send_on(self) -> None:
        """Send the attempt that listens now as much as it may have ahead."""
        attempt = self._attempt
        if attempt is None:
            return
        until_seq = self._heard_seq + self._ctx.limits.ahead_inputs
        until_us = self._heard_us + self._ahead_us
        while self._unsent < min(self._next_seq, until_seq):
            kept = self._kept[self._index(self._unsent)]
            if kept.start_us > until_us:
                return
            if self._unsent == self._never_sent:
                frame, self._never_sent = kept, self._never_sent + 1
            else:  # what was sent before is not to change
                frame = EarsInput()
                frame.CopyFrom(kept)
            frame.attempt = attempt
            self._ctx.emit(SendInput(frame))
            self._unsent += 1

    def _index(self, seq: int) -> int:
        """Where in `_kept` the input of this number is, or the first one kept after it."""
        return max(0, seq - self._kept[0].seq)

    # --- what the leg says of its inputs ---

    def take(self, event: WorkerEvent) -> bool:
        """An event of the leg; False if it is not about its inputs."""
        body = event.WhichOneof("body")
        if body == "progress":
            self.heard(event.progress)
        elif body == "replay":
            self.replay(event.replay.from_seq)
        elif body == "leg_done":
            self._ctx.leases.close(self.lease_id)
        else:
            return False
        return True

    def heard(self, progress: AudioProgress) -> None:
        """The leg says how far it has listened."""
        self._heard_us = max(self._heard_us, progress.audio_us)
        self._heard_seq = max(self._heard_seq, progress.next_seq)
        self.unheard_since = None if progress.next_seq >= self._next_seq else self._ctx.now
        self._send_on()
        self._trim()

    # --- what is kept ---

    def _trim(self) -> None:
        oldest = self._needed_from_us(min(self._heard_us, self.input_us))
        # An attempt that listens gets all in its order, also what is settled by now.
        heard = self._next_seq if self._attempt is None else self._heard_seq
        while self._first_ends_by(oldest) and self._kept[0].seq < heard:
            self._drop_first()

    def _first_ends_by(self, us: int) -> bool:
        """A frame is needed while its audio ends after the oldest point: when the next one starts there."""
        return len(self._kept) > 1 and self._kept[1].start_us <= us

    def _drop_first(self) -> None:
        dropped = self._kept.popleft()
        self._never_sent = max(self._never_sent, dropped.seq + 1)
        if dropped.HasField("format"):
            self._kept_format = dropped.format

    # --- leases ---

    def _begin_again(self) -> None:
        """A new attempt is to hear all that is kept: `_heard_us` and `_heard_seq` are where it starts, and
        `replay` sends it what it missed."""
        self.unheard_since = self._ctx.now if self._kept else None
        first = self._format_before() or (self._kept[0] if self._kept else None)
        self._heard_us = first.start_us if first else self.input_us
        self._heard_seq = first.seq if first else self._next_seq

    def replay(self, from_seq: int = 0) -> None:
        """Send the kept inputs from this number on to the attempt that listens now, again or at last."""
        attempt = self._attempt
        if attempt is None or not self._kept:
            return
        before = self._format_before()
        if before is not None and before.seq >= from_seq:
            before.attempt = attempt
            self._ctx.emit(SendInput(before))
        self._unsent = min(max(from_seq, self._kept[0].seq), self._next_seq)
        self._send_on()

    def _format_before(self) -> EarsInput | None:
        """The format in which what is kept begins, where that is not the one of the work."""
        if not self._kept or self._kept_format == self._leg_format:
            return None
        first = self._kept[0]
        return EarsInput(
            lease_id=self.lease_id, seq=first.seq - 1, start_us=first.start_us, format=self._kept_format
        )
