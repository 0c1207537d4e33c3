"""Voice activity of one stream: when a voice was last heard, and whether it is heard now.

Two engines. `silero` asks the network about every chunk. `webrtc` asks webrtcvad first, and the
network only about what that takes for voice: webrtcvad costs next to nothing but fires on most
noises, the network does not. Both end at the last audible block rather than at the end of a chunk,
so that the pause is measured from the last voiced sample.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from dialtone.vad_asr.vad.level import LevelMeter
from dialtone.vad_asr.vad.silero import CHUNK, CHUNK_BYTES
from dialtone.vad_asr.vad.webrtc import WebRtcFlags

_HYSTERESIS = 0.15  # speech goes on down to this far below the threshold
_ONSET_CHUNKS = 2  # 64 ms of speech in a row begin a turn: single chunks fire on beeps and knocks
_WARM_UP_CHUNKS = 8  # heard by the network before the first chunk it is asked about
_LOOK_BACK = 2_560  # samples: the network lets go 60 to 140 ms late ...
_LOOK_AHEAD = 3_200  # ... or, on a fading last syllable, up to 200 ms early


class Gate(Protocol):
    """Says how likely the next chunk of a stream, 512 samples of 16 bit, is speech."""

    def reset(self) -> None: ...

    def probability(self, chunk: bytes) -> float: ...


class VoiceTracker:
    """Follows one stream at 16 kHz. All positions are samples since the stream began."""

    def __init__(self, gate: Gate, threshold: float, webrtc: WebRtcFlags | None, position: int = 0) -> None:
        self._gate = gate
        self._threshold = threshold
        self._webrtc = webrtc
        self._meter = LevelMeter()
        self._origin = position  # the meter and the chunks count from here
        self.position = position
        self.last_voiced = position
        self.voiced_chunk: tuple[int, int] | None = None  # the stretch that the last feed added
        self._run_start = position
        self._run = 0
        self._voiced = False
        self._boundary = position  # where the detectors let go
        self._pending = b""
        self._frame_pending = b""
        self._flagged = webrtc is None
        self._asleep: deque[bytes] = deque(maxlen=_WARM_UP_CHUNKS)
        self._slept = 0

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
        self._gate.reset()  # networks let go late
        self._asleep.clear()
        self._slept = 0
        self._voiced = False
        self._run = 0
        self._pending = b""
        self._run_start = self._boundary = self.last_voiced = self.position

    def feed(self, pcm: bytes) -> None:
        """The next samples of the stream, 16 bit; best at most 30 ms at a time."""
        self.voiced_chunk = None
        self._meter.feed(pcm)
        self.position += len(pcm) // 2
        if self._webrtc is not None:
            self._flag_frames(self._webrtc, pcm)
        pending = self._pending + pcm
        at = 0
        while len(pending) - at >= CHUNK_BYTES:
            chunk = pending[at : at + CHUNK_BYTES]
            at += CHUNK_BYTES
            self._judge(chunk, self.position - (len(pending) - at) // 2)
        self._pending = pending[at:]
        if not self._voiced:
            self._refine()

    def _flag_frames(self, webrtc: WebRtcFlags, pcm: bytes) -> None:
        pending = self._frame_pending + pcm
        at = 0
        while len(pending) - at >= webrtc.frame_bytes:
            was_flagged = self._flagged
            self._flagged = webrtc.is_flagged(pending[at : at + webrtc.frame_bytes])
            if was_flagged and not self._flagged:
                frame_start = self.position - (len(pending) - at) // 2
                self._fall_silent(frame_start - webrtc.hangover_samples())
            at += webrtc.frame_bytes
        self._frame_pending = pending[at:]

    def _judge(self, chunk: bytes, end: int) -> None:
        if not self._flagged:
            self._asleep.append(chunk)
            self._slept += 1
            return
        probability = self._ask(chunk)
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

    def _ask(self, chunk: bytes) -> float:
        if self._slept:
            if self._slept > len(self._asleep):
                self._gate.reset()  # chunks are missing: what is remembered is of another moment
            for missed in self._asleep:
                self._gate.probability(missed)
            self._asleep.clear()
            self._slept = 0
        return self._gate.probability(chunk)

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
