"""The call's end of the ears leg: the input audio clock, the order of inputs, and what is kept of
them for a worker that has to start over."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

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


class EarsLink:
    """Sends audio and markers to the ears in one sequence; leases ears when there is audio.

    Inputs are kept, within bounds, and sent again to each new attempt: those of a turn that has not
    come to its words (`keep_from`), and while nobody speaks those that no ears have heard yet, with
    some moments before. Times are microseconds of audio since the call began.
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
        self._heard_us = 0  # how far any ears have listened
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
        return ears_config(self._ctx.config, self._ctx.limits.candidate_pause_ms)

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
        self._put(EarsInput(start_us=self.input_us, audio=audio))
        self._bytes += len(audio)
        self.input_us = self._format_start_us + self._bytes * 1_000_000 // self._format.bytes_per_second
        self._trim()

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
        attempt = self._attempt
        if attempt is not None:
            frame.attempt = attempt
            self._ctx.emit(SendInput(frame))

    def heard(self, progress: AudioProgress) -> None:
        """The ears say how far they have listened."""
        self._heard_us = max(self._heard_us, progress.audio_us)
        self.unheard_since = None if progress.next_seq >= self._next_seq else self._ctx.now
        self._trim()

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
        oldest = max(oldest, self.input_us - limits.replay_us)
        # A frame is needed while its audio ends after the oldest point: when the next one starts there.
        while len(self._kept) > 1 and self._kept[1].start_us <= oldest:
            dropped = self._kept.popleft()
            if dropped.HasField("format"):
                self._kept_format = dropped.format

    # --- leases ---

    def resume(self, *, next_utterance: int, speech_start_us: int | None) -> EarsResume:
        """Where a new attempt starts; `replay` sends it what it missed."""
        self.unheard_since = self._ctx.now if self._kept else None
        first = next(self._replayable(), None)
        return EarsResume(
            start_us=first.start_us if first else self.input_us,
            next_seq=first.seq if first else self._next_seq,
            next_utterance=next_utterance,
            in_speech=speech_start_us is not None,
            speech_start_us=speech_start_us or 0,
            config=self._config_sent,
        )

    def replay(self, from_seq: int = 0) -> None:
        """Send the kept inputs from this number on to the attempt that listens now."""
        attempt = self._attempt
        if attempt is None:
            return
        for kept in self._replayable():
            if kept.seq >= from_seq:
                frame = EarsInput()
                frame.CopyFrom(kept)
                frame.attempt = attempt
                self._ctx.emit(SendInput(frame))

    def _replayable(self) -> Iterator[EarsInput]:
        """What is kept, after the format that it begins in where that is not the one of the work."""
        if self._kept and self._kept_format != self._leg_format:
            first = self._kept[0]
            yield EarsInput(
                lease_id=self.lease_id, seq=first.seq - 1, start_us=first.start_us, format=self._kept_format
            )
        yield from self._kept
