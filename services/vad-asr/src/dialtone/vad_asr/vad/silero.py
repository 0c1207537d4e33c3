"""Silero VAD (ONNX): the probability of speech in chunks of 32 ms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from dialtone.audio import Float32

CHUNK = 512  # samples at 16 kHz, fixed by the model
CHUNK_BYTES = 2 * CHUNK
_CONTEXT = 64  # samples of the chunk before, which the model wants to see again
_FULL_SCALE = np.float32(1 / 32768)
_SAMPLE_RATE = np.array(16_000, dtype=np.int64)


class SileroModel:
    """The network, without state: one per process, shared by all streams."""

    def __init__(self, model_path: Path) -> None:
        options = onnxruntime.SessionOptions()
        # The network is far too small to gain from threads, and they would spin beside the calls.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # Known shapes let it leave out the questions that it asks about them: 12 % of its time.
        options.add_free_dimension_override_by_name("batch", 1)
        options.add_free_dimension_override_by_name("sequence", _CONTEXT + CHUNK)
        self._session = onnxruntime.InferenceSession(
            str(model_path), options, providers=["CPUExecutionProvider"]
        )

    def run(self, window: Float32, state: Float32) -> tuple[float, Float32]:
        """window: float32 [1, 576]; state: float32 [2, 1, 128] -> (probability, next state)."""
        probability, next_state = self._session.run(
            None, {"input": window, "state": state, "sr": _SAMPLE_RATE}
        )
        return float(probability[0, 0]), next_state


class SileroGate:
    """One stream's view of the network: chunks in order, or skipped while nobody asks."""

    def __init__(self, model: SileroModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Forgets the stream: what comes next does not follow what came before."""
        self._state: NDArray[np.float32] = np.zeros((2, 1, 128), dtype=np.float32)
        self._window = np.zeros((1, _CONTEXT + CHUNK), dtype=np.float32)

    def probability(self, chunk: bytes) -> float:
        """512 samples, 16 bit at 16 kHz -> probability of speech, 0..1. Takes about 0.1 ms."""
        window = self._window
        window[:, :_CONTEXT] = window[:, -_CONTEXT:]
        np.multiply(np.frombuffer(chunk, dtype="<i2"), _FULL_SCALE, out=window[0, _CONTEXT:])
        probability, self._state = self._model.run(window, self._state)
        return probability
