"""The call's end of the ears leg: the input audio clock, the order of inputs, and what is kept of
them for a worker that has to start over."""

from __future__ import annotations

from collections import deque

from dialtone.v1.ears_pb2 import (
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

    Inputs are kept from the last turn on (`keep_from`), within bounds, and sent again to each new
    attempt. Times are microseconds of audio since the call began.
    """

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._format = context.config.audio.input.format
        self._bytes = 0  # of the present format, since it was set
        self._format_start_us = 0
        self.input_us = 0
        self._next_seq = 1
        self._kept: deque[EarsInput] = deque()
        self._keep_from_us: int | None = None  # None: only the last moments are kept
        self.lease_id = ""
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
        leg = EarsLeg(format=audio_format(self._format), config=self._config_sent)
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
        attempt = self._attempt
        if attempt is not None:
            frame.attempt = attempt
            self._ctx.emit(SendInput(frame))

    # --- what is kept ---

    def keep_from(self, audio_us: int | None) -> None:
        """Keep all input from here on; None: only the last moments, nobody is speaking."""
        self._keep_from_us = audio_us
        self._trim()

    def _trim(self) -> None:
        limits = self._ctx.limits
        oldest = self.input_us - limits.replay_us
        if self._keep_from_us is None:
            oldest = self.input_us - limits.replay_idle_us
        else:
            oldest = max(oldest, self._keep_from_us)
        # A frame is needed while its audio ends after the oldest point: when the next one starts there.
        while len(self._kept) > 1 and self._kept[1].start_us <= oldest:
            self._kept.popleft()

    # --- leases ---

    def resume(self, *, next_utterance: int, speech_start_us: int | None) -> EarsResume:
        """Where a new attempt starts; `replay` sends it what it missed."""
        first = self._kept[0] if self._kept else None
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
        for kept in self._kept:
            if kept.seq >= from_seq:
                frame = EarsInput()
                frame.CopyFrom(kept)
                frame.attempt = attempt
                self._ctx.emit(SendInput(frame))
