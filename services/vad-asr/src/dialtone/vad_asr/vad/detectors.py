"""What the detectors say of one stream, step by step: webrtcvad about its frames, a network about chunks.

They are asked about a whole piece of audio before its first step is followed, since the network is in
another process: one answer for 200 ms of a leg that is behind, not one for each 32 ms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dialtone.vad_asr.vad.chunks import CHUNK_BYTES
from dialtone.vad_asr.vad.webrtc import WebRtcFlags

_STEP_BYTES = 2 * 320  # boundaries are looked for every 20 ms, however large the client's frames are
_WARM_UP_CHUNKS = 8  # heard by the network before the first chunk it is asked about


class Gate(Protocol):
    """Says how likely chunks of a stream are speech."""

    def reset(self) -> None:
        """Forget the stream: what comes next does not follow what came before."""

    async def probabilities(self, chunks: Sequence[bytes]) -> Sequence[float]:
        """Of each of the stream's next chunks, 512 samples of 16 bit, 0..1."""


@dataclass(slots=True)
class Chunk:
    """A chunk that webrtcvad took for voice, and what the network says of it."""

    end: int
    probability: float = 0.0


@dataclass(slots=True)
class Step:
    """20 ms of a stream, less at the end of a piece, and what became known in them, in this order."""

    pcm: bytes
    let_go: list[int] = field(default_factory=list)
    """Where voice ended, webrtcvad says."""
    chunks: list[Chunk] = field(default_factory=list)


@dataclass(slots=True)
class _Run:
    """Chunks that the network hears in a row; of some of them it is asked what they are."""

    anew: bool
    heard: list[bytes] = field(default_factory=list)
    asked: list[tuple[int, Chunk]] = field(default_factory=list)


class Detectors:
    """The detectors of one stream at 16 kHz. All positions are samples since the stream began."""

    def __init__(self, gate: Gate, webrtc: WebRtcFlags | None, position: int) -> None:
        self._gate = gate
        self._webrtc = webrtc
        self._position = position
        self._pending = b""
        self._frame_pending = b""
        self._flagged = webrtc is None
        self._asleep: deque[bytes] = deque(maxlen=_WARM_UP_CHUNKS)
        self._slept = 0

    def forget(self) -> None:
        """What is heard next is judged by itself."""
        self._gate.reset()
        self._asleep.clear()
        self._slept = 0
        self._pending = b""

    async def judge(self, pcm: bytes) -> list[Step]:
        """The steps of the next samples, 16 bit. Raises what the gate raises, and is of no use then."""
        runs = [_Run(anew=False)]
        steps = [self._step(pcm[at : at + _STEP_BYTES], runs) for at in range(0, len(pcm), _STEP_BYTES)]
        for run in runs:
            if run.anew:
                self._gate.reset()
            if run.heard:
                said = await self._gate.probabilities(run.heard)
                for index, chunk in run.asked:
                    chunk.probability = said[index]
        return steps

    def _step(self, pcm: bytes, runs: list[_Run]) -> Step:
        self._position += len(pcm) // 2
        step = Step(pcm)
        if self._webrtc is not None:
            self._flag_frames(self._webrtc, step)
        pending = self._pending + pcm
        at = 0
        while len(pending) - at >= CHUNK_BYTES:
            chunk = pending[at : at + CHUNK_BYTES]
            at += CHUNK_BYTES
            if self._flagged:
                step.chunks.append(self._ask(chunk, self._position - (len(pending) - at) // 2, runs))
            else:
                self._asleep.append(chunk)
                self._slept += 1
        self._pending = pending[at:]
        return step

    def _flag_frames(self, webrtc: WebRtcFlags, step: Step) -> None:
        pending = self._frame_pending + step.pcm
        at = 0
        while len(pending) - at >= webrtc.frame_bytes:
            was_flagged = self._flagged
            self._flagged = webrtc.is_flagged(pending[at : at + webrtc.frame_bytes])
            if was_flagged and not self._flagged:
                frame_start = self._position - (len(pending) - at) // 2
                step.let_go.append(frame_start - webrtc.hangover_samples())
            at += webrtc.frame_bytes
        self._frame_pending = pending[at:]

    def _ask(self, chunk: bytes, end: int, runs: list[_Run]) -> Chunk:
        if self._slept > len(self._asleep):  # chunks are missing: what is remembered is of another moment
            runs.append(_Run(anew=True))
        run = runs[-1]
        run.heard += [*self._asleep, chunk]
        self._asleep.clear()
        self._slept = 0
        asked = Chunk(end)
        run.asked.append((len(run.heard) - 1, asked))
        return asked
