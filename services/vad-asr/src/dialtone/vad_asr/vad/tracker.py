"""Voice activity of one stream: when a voice was last heard, and whether it is heard now.

Two engines. `silero` asks the network about every chunk. `webrtc` asks webrtcvad first, and the
network only about what that takes for voice: webrtcvad costs next to nothing but fires on most
noises, the network does not. Both end at the last audible block rather than at the end of a chunk,
so that the pause is measured from the last voiced sample.
"""

from __future__ import annotations

from dialtone.vad_asr.vad.chunks import CHUNK
from dialtone.vad_asr.vad.detectors import Chunk, Detectors, Gate, Step
from dialtone.vad_asr.vad.level import LevelMeter
from dialtone.vad_asr.vad.webrtc import WebRtcFlags

_HYSTERESIS = 0.15  # speech goes on down to this far below the threshold
_ONSET_CHUNKS = 2  # 64 ms of speech in a row begin a turn: single chunks fire on beeps and knocks
_LOOK_BACK = 2_560  # samples: the network lets go 60 to 140 ms late ...
_LOOK_AHEAD = 3_200  # ... or, on a fading last syllable, up to 200 ms early


class VoiceTracker:
    """Follows one stream at 16 kHz. All positions are samples since the stream began."""

    def __init__(self, gate: Gate, threshold: float, webrtc: WebRtcFlags | None, position: int = 0) -> None:
        self._detectors = Detectors(gate, webrtc, position)
        self._threshold = threshold
        self._meter = LevelMeter()
        self._origin = position  # the meter and the chunks count from here
        self.position = position
        self.last_voiced = position
        self.voiced_chunk: tuple[int, int] | None = None  # the stretch that the last feed added
        self._run_start = position
        self._run = 0
        self._voiced = False
        self._boundary = position  # where the detectors let go

    @property
    def voiced(self) -> bool:
        """A voice is heard now."""
        return self._voiced

    @property
    def onset(self) -> int | None:
        """Where the voice that is heard now began, once it has lasted long enough to be one."""
        return self._run_start if self._voiced and self._run >= _ONSET_CHUNKS else None

    def forget(self) -> None:
        """What is heard next is a voice only if it begins anew: the one so far was dealt with."""
        self._detectors.forget()  # networks let go late
        self._voiced = False
        self._run = 0
        self._run_start = self._boundary = self.last_voiced = self.position

    async def judge(self, pcm: bytes) -> list[Step]:
        """The next samples of the stream, 16 bit, in steps that are to be followed one by one."""
        return await self._detectors.judge(pcm)

    def follow(self, step: Step) -> None:
        """What is heard at the end of this step, the next of the stream."""
        self.voiced_chunk = None
        self._meter.feed(step.pcm)
        self.position += len(step.pcm) // 2
        for boundary in step.let_go:
            self._fall_silent(boundary)
        for chunk in step.chunks:
            self._take(chunk)
        if not self._voiced:
            self._refine()

    def _take(self, chunk: Chunk) -> None:
        end, probability = chunk.end, chunk.probability
        start = end - CHUNK
        if probability < (self._threshold - _HYSTERESIS if self._voiced else self._threshold):
            self._run = 0
            self._fall_silent(start)
            return
        if not self._voiced:
            self._voiced = True
            self._run_start = start
            self._run = 0
        self._run += 1
        self.last_voiced = end
        first = self.voiced_chunk[0] if self.voiced_chunk else start
        self.voiced_chunk = (first, end)

    def _fall_silent(self, boundary: int) -> None:
        if self._voiced:
            self._voiced = False
            self._boundary = max(min(boundary, self.last_voiced), self._run_start)
            self.last_voiced = self._boundary

    def _refine(self) -> None:
        """Moves the end of the voice to the last audible block around the detectors' boundary."""
        if self.position - self._boundary > _LOOK_AHEAD + CHUNK:
            return
        start = max(self._boundary - _LOOK_BACK, self._run_start)
        heard = self._meter.last_audible(
            start - self._origin, min(self._boundary + _LOOK_AHEAD, self.position) - self._origin
        )
        if heard is not None:
            self.last_voiced = min(heard + self._origin, self.position)
