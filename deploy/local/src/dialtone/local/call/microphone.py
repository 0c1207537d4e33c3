"""A microphone that never stops: 20 ms frames in real time, of a recording or of silence."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from dialtone.local.call.recording import FRAME_MS, Recording

_FRAME_S = FRAME_MS / 1000


@dataclass(slots=True)
class Playing:
    """A recording on its way. `voice_end` is when its last voiced frame had been written (perf_counter)."""

    frames: deque[bytes]
    last_voiced: int | None
    written: int = 0
    voice_end: float | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class Microphone:
    """Sends a frame each 20 ms by an absolute schedule: a late frame does not make the next ones late."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], rate: int) -> None:
        self._send = send
        self._rate = rate
        self._silence = bytes(2 * rate * FRAME_MS // 1000)
        self._playing: Playing | None = None
        self._ended = False

    def play(self, recording: Recording) -> Playing:
        """Let a recording follow from the next frame on."""
        sound = recording.at_rate(self._rate)
        self._playing = Playing(deque(sound.frames()), sound.last_voiced_frame())
        if self._ended:
            self._playing.finished.set()
        return self._playing

    async def run(self) -> None:
        """Send until cancelled, or until nothing can be sent: then what is played is over at once."""
        try:
            await self._run()
        finally:
            self._ended = True
            if self._playing is not None:
                self._playing.finished.set()

    async def _run(self) -> None:
        due = time.perf_counter()
        while True:
            playing = self._playing
            if playing is not None and playing.frames:
                await self._send(playing.frames.popleft())
                if playing.written == playing.last_voiced:
                    playing.voice_end = time.perf_counter()
                playing.written += 1
            else:
                if playing is not None:
                    playing.finished.set()
                await self._send(self._silence)
            due += _FRAME_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
