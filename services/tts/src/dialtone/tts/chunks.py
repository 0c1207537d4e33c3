"""Cuts a sentence's bytes into chunks whose times add up exactly."""

from __future__ import annotations

from dialtone.audio import check_format, sample_bytes
from dialtone.v1.common_pb2 import AudioFormat
from dialtone.v1.speech_pb2 import AudioChunk


class Chunker:
    """Takes the audio of one sentence in pieces of any size, gives it back in chunks.

    Positions are counted in samples and turned into microseconds one by one, so a chunk ends where the next
    starts and rounding never adds up. What was `delivered_us` before is counted but left out.
    Raises UnsupportedFormat.
    """

    def __init__(self, target: AudioFormat, *, first_ms: int, chunk_ms: int, delivered_us: int = 0) -> None:
        check_format(target)
        self._rate = target.sample_rate
        self._width = sample_bytes(target)
        # Rounded up, because the microseconds of a position were rounded down.
        self._delivered = -(-delivered_us * self._rate // 1_000_000)
        self._next_samples = max(self._rate * first_ms // 1000, 1)
        self._chunk_samples = max(self._rate * chunk_ms // 1000, 1)
        self._pending = bytearray()
        self._position = 0  # samples before the pending ones

    @property
    def total_us(self) -> int:
        """Length of all the audio that came in, the delivered part included."""
        return self._us(self._position + len(self._pending) // self._width)

    def push(self, audio: bytes) -> list[AudioChunk]:
        """Take whole samples; return the chunks that are full by now."""
        self._pending += audio
        self._skip_delivered()
        chunks = []
        while len(self._pending) >= self._next_samples * self._width:
            chunks.append(self._cut(self._next_samples))
            self._next_samples = self._chunk_samples
        return chunks

    def flush(self) -> list[AudioChunk]:
        """Return what is left, as one chunk or none."""
        samples = len(self._pending) // self._width
        return [self._cut(samples)] if samples else []

    def _skip_delivered(self) -> None:
        skipped = min(self._delivered - self._position, len(self._pending) // self._width)
        if skipped > 0:
            del self._pending[: skipped * self._width]
            self._position += skipped

    def _cut(self, samples: int) -> AudioChunk:
        audio = bytes(self._pending[: samples * self._width])
        del self._pending[: samples * self._width]
        start = self._us(self._position)
        self._position += samples
        return AudioChunk(audio=audio, start_us=start, duration_us=self._us(self._position) - start)

    def _us(self, samples: int) -> int:
        return samples * 1_000_000 // self._rate
