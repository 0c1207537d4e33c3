"""A microphone that never stops: recordings, and silence between them, frame by frame in real time."""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence

from dialtone.local.call.recording import FRAME_MS
from tests.bench.metronome import Metronome


class Microphone:
    """Writes ready-made frames of 20 ms; between two recordings, the frame of silence."""

    def __init__(self, write: Callable[[bytes], None], silence: bytes, lateness_ms: array[float]) -> None:
        """`lateness_ms` is where each frame's delay against the schedule is noted."""
        self._write = write
        self._silence = silence
        self._frames: deque[bytes] = deque()
        self._on_spoken: Callable[[float], None] = lambda _now: None
        self._metronome = Metronome(FRAME_MS / 1000, self._next_frame, lateness_ms)

    def start(self) -> None:
        """Write a frame each 20 ms until `stop`."""
        self._metronome.start()

    def stop(self) -> None:
        """Write nothing more."""
        self._metronome.stop()

    def play(self, frames: Sequence[bytes], on_spoken: Callable[[float], None]) -> None:
        """Let these frames follow; `on_spoken(now)` is called when the last of them has been written."""
        self._frames.extend(frames)
        self._on_spoken = on_spoken

    def _next_frame(self) -> None:
        if not self._frames:
            self._write(self._silence)
            return
        self._write(self._frames.popleft())
        if not self._frames:
            self._on_spoken(time.monotonic())
