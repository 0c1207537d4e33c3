"""The call's end of the ears leg: the input audio clock, the order of inputs, and what is kept of
them for a worker that has to start over."""

from __future__ import annotations

from collections import deque

from dialtone.v1.ears_pb2 import (
    AudioProgress,
    ClearInput,
    CommitInput,
    EarsConfig,
    EarsInput,
    EarsLeg,
    EarsResume,
    EndOfInput,
)

from .context import ASR, Context
from .effects import SendInput
from .formats import audio_format, ears_config
from .interruption import Threshold


class EarsLink:
    """Sends audio and markers to the ears in one sequence; leases ears when there is audio.

    Inputs are kept, within bounds, and sent again to each new attempt: those of a turn that has not
    come to its words (`keep_from`), and while nobody speaks those that no ears have heard yet, with
    some moments before. Times are microseconds of audio since the call began.

    A client may send minutes at once, a recording faster than it plays, and new ears are sent minutes
    again: the ears get only so much ahead of what they say they have heard, the rest waits here.
    """

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._format = context.config.audio.input.format
        self._bytes = 0  # of the present format, since it was set
        self._format_start_us = 0
        self.input_us = 0
        self._next_seq = 1
        self._kept: deque[EarsInput] = deque()
        self._keep_from_us = 0
        self._in_turn = False
        self._unsent = 1  # the first input that the ears that listen now were not sent
        self._never_sent = 1  # the first that no ears were sent
        self._heard_seq = 1  # the first that the ears that listen now have not heard
        self._heard_us = 0  # how far they have listened
        self.unheard_since: float | None = None  # when the oldest input was sent that they have not
        self.lease_id = ""
        self._leg_format = audio_format(self._format)  # what every attempt starts with
        self._kept_format = self._leg_format  # of the first input kept
        self._config_sent: EarsConfig | None = None
        self.ended = False

    @property
    def leased(self) -> bool:
        return bool(self.lease_id)

    @property
    def _attempt(self) -> int | None:
        """The attempt that listens now."""
        lease = self._ctx.leases.get(self.lease_id)
        return lease.attempt if lease and lease.held else None

    def config(self) -> EarsConfig:
        config, limits = self._ctx.config, self._ctx.limits
        return ears_config(config, limits.candidate_pause_ms, Threshold.of(config, limits))

    def lease(self) -> None:
        """Ask for ears, unless the call has them."""
        if self.lease_id:
            return
        self._config_sent = self.config()
        self._leg_format = self._kept_format = audio_format(self._format)
        leg = EarsLeg(format=self._leg_format, config=self._config_sent)
        self.lease_id = self._ctx.submit(ASR, ears=leg).id

    # --- inputs ---

    def append(self, audio: bytes) -> None:
        """Audio in the client's format, of any length: it goes out in frames of a second at most."""
        second = self._format.bytes_per_second
        for at in range(0, len(audio), second):
            frame = audio[at : at + second]
            self._put(EarsInput(start_us=self.input_us, audio=frame))
            self._bytes += len(frame)
            self.input_us = self._format_start_us + self._bytes * 1_000_000 // second
        self._trim()

    @property
    def full(self) -> bool:
        """So much waits to be sent that no more is to be taken from the client for now."""
        if self._never_sent == self._next_seq:
            return False
        waits_since = self._kept[self._index(self._never_sent)].start_us
        return self.input_us - waits_since > self._ctx.limits.input_waiting_us

    def commit(self, utterance: int) -> None:
        self._put(EarsInput(start_us=self.input_us, commit=CommitInput(utterance=utterance)))

    def clear(self) -> None:
        self._put(EarsInput(start_us=self.input_us, clear=ClearInput()))

    def end(self) -> None:
        self.ended = True
        self._put(EarsInput(start_us=self.input_us, end=EndOfInput()))

    def reconfigure(self) -> None:
        """Tell the ears what changed in the session."""
        wire = self._ctx.config.audio.input.format
        if wire != self._format:
            self._format, self._bytes, self._format_start_us = wire, 0, self.input_us
            if self.lease_id:
                self._put(EarsInput(start_us=self.input_us, format=audio_format(wire)))
        config = self.config()
        if self.lease_id and config != self._config_sent:
            self._config_sent = config
            self._put(EarsInput(start_us=self.input_us, config=config))

    def _put(self, frame: EarsInput) -> None:
        frame.lease_id = self.lease_id
        frame.seq = self._next_seq
        self._next_seq += 1
        self._kept.append(frame)
        if self.unheard_since is None:
            self.unheard_since = self._ctx.now
        self._send_on()

    def _send_on(self) -> None:
        """Send the ears that listen now as much as they may have ahead."""
        attempt, limits = self._attempt, self._ctx.limits
        if attempt is None:
            return
        until_seq = self._heard_seq + limits.ears_ahead_inputs
        until_us = self._heard_us + limits.ears_ahead_us
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

    def heard(self, progress: AudioProgress) -> None:
        """The ears say how far they have listened."""
        self._heard_us = max(self._heard_us, progress.audio_us)
        self._heard_seq = max(self._heard_seq, progress.next_seq)
        self.unheard_since = None if progress.next_seq >= self._next_seq else self._ctx.now
        self._send_on()
        self._trim()

    def audio_between(self, start_us: int, end_us: int) -> bytes:
        """The input of this stretch, in the present format; empty when it is not all there any more, or
        began in another format."""
        frames = [kept for kept in self._kept if kept.HasField("audio") and kept.start_us < end_us]
        first = max((at for at, frame in enumerate(frames) if frame.start_us <= start_us), default=None)
        if first is None or frames[first].start_us < self._format_start_us:
            return b""
        audio = b"".join(frame.audio for frame in frames[first:])
        begins_us = frames[first].start_us
        return audio[self._bytes_of(start_us - begins_us) : self._bytes_of(end_us - begins_us)]

    def _bytes_of(self, us: int) -> int:
        """Audio of this length in the present format, in whole samples."""
        samples = us * self._format.sample_rate // 1_000_000
        return samples * (self._format.bytes_per_second // self._format.sample_rate)

    # --- what is kept ---

    def keep_from(self, audio_us: int, *, in_turn: bool) -> None:
        """Input before this is settled. `in_turn`: all after it belongs to somebody's turn."""
        self._keep_from_us, self._in_turn = audio_us, in_turn
        self._trim()

    def _trim(self) -> None:
        limits = self._ctx.limits
        oldest = self._keep_from_us
        by_hand = self._ctx.config.audio.input.turn_detection is None  # all of it may be committed
        if not (self._in_turn or by_hand):
            oldest = max(oldest, min(self._heard_us, self.input_us) - limits.replay_idle_us)
        oldest = max(oldest, min(self._heard_us, self.input_us) - limits.replay_us)
        # Ears that listen get all in its order, also what is settled by now.
        heard = self._next_seq if self._attempt is None else self._heard_seq
        # A frame is needed while its audio ends after the oldest point: when the next one starts there.
        while len(self._kept) > 1 and self._kept[1].start_us <= oldest and self._kept[0].seq < heard:
            dropped = self._kept.popleft()
            self._never_sent = max(self._never_sent, dropped.seq + 1)
            if dropped.HasField("format"):
                self._kept_format = dropped.format

    # --- leases ---

    def resume(self, *, next_utterance: int, speech_start_us: int | None) -> EarsResume:
        """Where a new attempt starts; `replay` sends it what it missed."""
        self.unheard_since = self._ctx.now if self._kept else None
        first = self._format_before() or (self._kept[0] if self._kept else None)
        self._heard_us = first.start_us if first else self.input_us
        self._heard_seq = first.seq if first else self._next_seq
        return EarsResume(
            start_us=self._heard_us,
            next_seq=self._heard_seq,
            next_utterance=next_utterance,
            in_speech=speech_start_us is not None,
            speech_start_us=speech_start_us or 0,
            config=self._config_sent,
        )

    def replay(self, from_seq: int = 0) -> None:
        """Send the kept inputs from this number on to the ears that listen now, again or at last."""
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
