"""Runs a VITS model in steps: encode a sentence, then decode its frames window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from dialtone.audio import Float32
from dialtone.tts.engines.vits_graph import NotDivisible, VitsHalves, divide

# Frames on either side of a window that its samples depend on. From 12 on, the samples are those of the
# undivided decoder; voices of the larger "high" size reach a little further.
CONTEXT_FRAMES = 16
_FIRST_WINDOW = 8  # frames; 93 ms of a medium voice
_LARGEST_WINDOW = 64  # bounds how long a cancelled sentence still computes


@dataclass(frozen=True, slots=True)
class Scales:
    """The three numbers that every VITS model takes."""

    noise: float
    length: float
    noise_w: float


@dataclass(frozen=True, slots=True)
class Latent:
    """A sentence after the encoder: its frames, float32 [1, channels, frames], and what conditions them."""

    frames: Float32
    conditions: tuple[Float32, ...]


def around(latent: Latent, window: range) -> tuple[Latent, range]:
    """Return what of a sentence is needed to decode a window, and where the window is in that."""
    start = max(window.start - CONTEXT_FRAMES, 0)
    frames = latent.frames[:, :, start : window.stop + CONTEXT_FRAMES]
    return Latent(frames, latent.conditions), range(window.start - start, window.stop - start)


class VitsModel:
    """A divided model. All methods block; they may be called from several threads at once."""

    def __init__(self, halves: VitsHalves, options: onnxruntime.SessionOptions) -> None:
        # The names alone: the serialised halves are as large as the model and are not needed again.
        self._latent, self._conditions = halves.latent, halves.conditions
        self._duration_noise = halves.duration_noise
        self._encoder = _session(halves.encoder, options)
        self._decoder = _session(halves.decoder, options)

    def encode(self, ids: Sequence[int], scales: Scales, speaker: int | None, seed: int) -> Latent:
        """Compute the frames of one sentence; the same seed gives the same durations."""
        inputs = model_inputs(ids, scales, speaker)
        if name := self._duration_noise:
            noise = np.random.default_rng(seed).standard_normal((1, 2, len(ids)), dtype=np.float32)
            inputs[name] = noise
        frames, *conditions = self._encoder.run(None, inputs)
        return Latent(frames, tuple(conditions))

    def windows(self, latent: Latent) -> Iterator[range]:
        """Cut the frames into windows: a small one first, then larger ones while audio is ahead."""
        return windows(latent.frames.shape[2])

    def decode(self, latent: Latent, window: range) -> Float32:
        """Compute the samples of a window, float32 [n]."""
        total = latent.frames.shape[2]
        start = max(window.start - CONTEXT_FRAMES, 0)
        stop = min(window.stop + CONTEXT_FRAMES, total)
        inputs = {self._latent: latent.frames[:, :, start:stop]}
        inputs.update(zip(self._conditions, latent.conditions, strict=True))
        samples: Float32 = self._decoder.run(None, inputs)[0].reshape(-1)
        hop = len(samples) // (stop - start)
        return samples[(window.start - start) * hop : (window.stop - start) * hop]


class UndividedModel:
    """A model whose graph cannot be divided: the sentence comes as one block, durations not repeatable."""

    def __init__(self, path: Path, options: onnxruntime.SessionOptions) -> None:
        self._session = _session(str(path), options)

    def encode(self, ids: Sequence[int], scales: Scales, speaker: int | None, seed: int) -> Latent:
        """Compute the samples of one sentence; they stand in for the frames, one channel."""
        del seed  # this graph draws its durations itself
        samples = self._session.run(None, model_inputs(ids, scales, speaker))[0]
        return Latent(samples.reshape(1, 1, -1), ())

    def windows(self, latent: Latent) -> Iterator[range]:
        """Return everything as one window."""
        yield range(latent.frames.shape[2])

    def decode(self, latent: Latent, window: range) -> Float32:
        """Hand out the samples, float32 [n]."""
        return latent.frames[0, 0, window.start : window.stop]


def load_model(path: Path, threads: int) -> VitsModel | UndividedModel:
    """Load a Piper model (blocking, seconds)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads that spin would take the cores from the models beside this one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return VitsModel(divide(path), options)
    except NotDivisible:
        return UndividedModel(path, options)


def windows(frames: int) -> Iterator[range]:
    """Ranges that cover `frames`: 8 frames, then twice as many each time up to 64."""
    start, size = 0, _FIRST_WINDOW
    while start < frames:
        yield range(start, min(start + size, frames))
        start += size
        size = min(size * 2, _LARGEST_WINDOW)


def model_inputs(ids: Sequence[int], scales: Scales, speaker: int | None) -> dict[str, NDArray[np.generic]]:
    """Name the inputs as Piper's export does."""
    inputs: dict[str, NDArray[np.generic]] = {
        "input": np.array([ids], dtype=np.int64),
        "input_lengths": np.array([len(ids)], dtype=np.int64),
        "scales": np.array([scales.noise, scales.length, scales.noise_w], dtype=np.float32),
    }
    if speaker is not None:
        inputs["sid"] = np.array([speaker], dtype=np.int64)
    return inputs


def _session(model: bytes | str, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
