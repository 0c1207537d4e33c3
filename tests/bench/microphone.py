"""A microphone that never stops: one 20 ms frame after the other, on an absolute schedule."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence

from dialtone.local.call.recording import FRAME_MS

FRAME_S = FRAME_MS / 1000
_LONGEST_NAP_S = 0.5


class Microphone:
    """Writes ready-made frames; between two recordings, the frame of silence.

    A frame that is late does not make the next ones late: what is overdue is written at once.
    """

    def __init__(self, write: Callable[[bytes], None], silence: bytes, lateness_ms: array[float]) -> None:
        """`lateness_ms` is where each frame's delay against the schedule is noted."""
        self._write = write
        self._silence = silence
        self._lateness = lateness_ms
        self._frames: deque[bytes] = deque()
        self._on_spoken: Callable[[float], None] = lambda _now: None
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Write the first frame in 20 ms, and go on until `stop`."""
        self._due = time.monotonic() + FRAME_S
        self._set_timer()

    def play(self, frames: Sequence[bytes], on_spoken: Callable[[float], None]) -> None:
        """Let these frames follow; `on_spoken(now)` is called when the last of them has been written."""
        self._frames.extend(frames)
        self._on_spoken = on_spoken

    def stop(self) -> None:
        """Write nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        delay = min(max(0.0, self._due - time.monotonic()), _LONGEST_NAP_S)
        self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        now = time.monotonic()
        while self._due <= now:
            self._lateness.append((now - self._due) * 1e3)
            self._due += FRAME_S
            self._next_frame()
        self._set_timer()

    def _next_frame(self) -> None:
        if not self._frames:
            self._write(self._silence)
            return
        self._write(self._frames.popleft())
        if not self._frames:
            self._on_spoken(time.monotonic())
