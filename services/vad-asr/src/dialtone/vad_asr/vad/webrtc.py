"""webrtcvad: a Gaussian mixture per frame, cheap, and triggered by most noises.

After speech it goes on saying "voiced" for a fixed number of frames (the hangover of WebRTC's
vad_core): `hangover_frames` after up to six voiced frames in a row, more after a longer run. The
pause has begun before those frames.
"""

from __future__ import annotations

import webrtcvad

# Frames of hangover after (a short run, a long run) of voice, by mode and frame length in ms.
_HANGOVER = {
    0: {10: (8, 14), 20: (4, 7), 30: (3, 5)},
    1: {10: (8, 14), 20: (4, 7), 30: (3, 5)},
    2: {10: (6, 9), 20: (3, 5), 30: (2, 3)},
    3: {10: (6, 9), 20: (3, 5), 30: (2, 3)},
}
_LONG_RUN_FRAMES = 7


class WebRtcFlags:
    """Flags the frames of one stream at 16 kHz; `frame_ms` is 10, 20 or 30."""

    def __init__(self, aggressiveness: int, frame_ms: int) -> None:
        self._vad = webrtcvad.Vad(aggressiveness)
        self._short_hangover, self._long_hangover = _HANGOVER[aggressiveness][frame_ms]
        self._run = 0
        self.frame = 16 * frame_ms  # samples
        self.frame_bytes = 2 * self.frame

    def is_flagged(self, frame: bytes) -> bool:
        """A frame of 16 bit samples, the next of the stream. Takes about 5 us."""
        flagged: bool = self._vad.is_speech(frame, 16_000)
        if flagged:
            self._run += 1
        return flagged

    def hangover_samples(self) -> int:
        """After a frame that is not flagged: how far before it the voice ended. Starts a new run."""
        run, self._run = self._run, 0
        if not run:
            return 0
        # A run of flags is voice plus hangover; the longer hangover needs a long run of voice.
        is_long = run >= _LONG_RUN_FRAMES + self._long_hangover
        frames = self._long_hangover if is_long else min(self._short_hangover, run)
        return frames * self.frame
