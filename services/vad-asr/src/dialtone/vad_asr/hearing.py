"""What one call hears: its audio on one clock, and where voice is in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

from dialtone.audio import AudioDecoder, Pcm16, pcm16_to_bytes
from dialtone.v1.common_pb2 import AudioFormat
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE
from dialtone.vad_asr.endpointing import Boundary, Endpointer
from dialtone.vad_asr.policy import TurnPolicy
from dialtone.vad_asr.recording import Recording, VoicedSpans
from dialtone.vad_asr.vad.tracker import VoiceTracker

_DECODED_BYTES = 9_600  # at once: 200 ms at 24 kHz, 1.2 s of G.711, a millisecond of work

NewTracker = Callable[[TurnPolicy, int], VoiceTracker]
"""Makes a tracker for a policy that starts at a position."""


class Hearing:
    """The stream of a call at 16 kHz. Positions are samples since `start_us` of the call's audio clock."""

    def __init__(
        self,
        audio_format: AudioFormat,
        policy: TurnPolicy,
        new_tracker: NewTracker,
        *,
        start_us: int,
        max_turn: int,
        kept_idle: int,
        kept_manual: int,
    ) -> None:
        self._start_us = start_us
        self._new_tracker = new_tracker
        self._kept_idle = kept_idle
        self._kept_manual = kept_manual
        self._decoder = AudioDecoder(audio_format, SAMPLE_RATE)
        self._policy = policy
        self._tracker = new_tracker(policy, 0)
        self.endpointer = Endpointer(policy, max_turn)
        self.recording = Recording()
        self.voice = VoicedSpans()
        self.uncommitted = 0  # audio before this belongs to a turn, or was cleared

    @property
    def policy(self) -> TurnPolicy:
        return self._policy

    @property
    def position(self) -> int:
        return self._tracker.position

    @property
    def voiced(self) -> bool:
        return self._tracker.voiced

    @property
    def last_voiced(self) -> int:
        return self._tracker.last_voiced

    def clock_us(self, position: int) -> int:
        """Where a position stands on the call's audio clock."""
        return self._start_us + position * 1_000_000 // SAMPLE_RATE

    def position_at(self, clock_us: int) -> int:
        """The position that stands there, not before the first."""
        return max(clock_us - self._start_us, 0) * SAMPLE_RATE // 1_000_000

    def hear(self, data: bytes) -> AsyncIterator[list[Boundary]]:
        """Takes in audio in the client's format; yields after each step, with what it revealed.

        Raises HandBack where voice cannot be detected any more.
        """
        parts = (data[at : at + _DECODED_BYTES] for at in range(0, len(data), _DECODED_BYTES))
        return self._hear(map(self._decoder.feed, parts))

    def change_format(self, audio_format: AudioFormat) -> AsyncIterator[list[Boundary]]:
        """What follows is in another format. Raises UnsupportedFormat, and then nothing has changed."""
        decoder, self._decoder = self._decoder, AudioDecoder(audio_format, SAMPLE_RATE)
        return self._hear([decoder.flush()])

    def finish(self) -> AsyncIterator[list[Boundary]]:
        """No audio follows."""
        return self._hear([self._decoder.flush()])

    def change_policy(self, policy: TurnPolicy) -> None:
        """Turns are found in another way from now on; an open turn stays open."""
        before, self._policy = self._policy, policy
        self.endpointer.policy = policy
        detection = (before.engine, before.aggressiveness, before.threshold)
        if detection != (policy.engine, policy.aggressiveness, policy.threshold):
            self._tracker = self._new_tracker(policy, self.position)

    def settle(self, end: int) -> None:
        """The audio up to `end` belongs to a turn or was cleared."""
        self.uncommitted = end
        self.endpointer.close(end)

    def cut(self) -> None:
        """The audio so far belongs to a turn or was cleared because the client says so, perhaps within a
        word: the rest of that word's sound is no turn of its own."""
        self._tracker.forget()
        self.settle(self.position)

    async def _hear(self, decoded: Iterable[Pcm16]) -> AsyncIterator[list[Boundary]]:
        for samples in decoded:
            for step in await self._tracker.judge(pcm16_to_bytes(samples)):
                self.recording.append(step.pcm)
                self._tracker.follow(step)
                if self._tracker.voiced_chunk:
                    self.voice.add(*self._tracker.voiced_chunk)
                yield self.endpointer.advance(self._tracker)
                self._forget()

    def _forget(self) -> None:
        if self.endpointer.in_turn:
            keep_from = self.endpointer.start
        else:
            kept = self._kept_idle if self._policy.automatic else self._kept_manual
            keep_from = max(self.position - kept, self.uncommitted)
        self.recording.forget(keep_from)
        self.voice.forget(keep_from)
