"""Silero VAD (ONNX): the probability of speech in chunks of 32 ms. Runs over there: see `fenced.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dialtone.vad_asr.vad.chunks import CHUNK, CHUNK_BYTES

CONTEXT_BYTES = 2 * 64  # of the chunk before, which the model wants to see again
_WINDOW = CONTEXT_BYTES // 2 + CHUNK
_FULL_SCALE = np.float32(1 / 32768)
_SAMPLE_RATE = np.array(16_000, dtype=np.int64)

States = NDArray[np.float32]
"""What the network remembers of each stream: [2, streams, 128]."""


class Network(Protocol):
    """Judges the next chunks of some streams together, and remembers nothing of them itself."""

    def judge(self, sounds: Sequence[bytes], states: States) -> tuple[list[list[float]], States]:
        """sounds: of each stream the next chunks, behind the context; states: before them ->
        (of each stream the probability of each chunk, states after them)."""


class SileroModel:
    """The network. 0.1 ms a chunk, less in company."""

    def __init__(self, model_path: Path) -> None:
        import onnxruntime  # for the process that it works in alone

        options = onnxruntime.SessionOptions()
        # The network is far too small to gain from threads, and they would spin beside the calls.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # A known shape lets it leave out the questions that it asks about it.
        options.add_free_dimension_override_by_name("sequence", _WINDOW)
        self._session = onnxruntime.InferenceSession(
            str(model_path), options, providers=["CPUExecutionProvider"]
        )

    def judge(self, sounds: Sequence[bytes], states: States) -> tuple[list[list[float]], States]:
        """As in `Network`."""
        lengths = [(len(sound) - CONTEXT_BYTES) // CHUNK_BYTES for sound in sounds]
        probabilities: list[list[float]] = [[] for _ in sounds]
        for number in range(max(lengths)):
            present = [stream for stream, length in enumerate(lengths) if length > number]
            at = number * CHUNK_BYTES
            heard = b"".join([sounds[stream][at : at + 2 * _WINDOW] for stream in present])
            windows = np.frombuffer(heard, "<i2").reshape(-1, _WINDOW) * _FULL_SCALE
            everyone = len(present) == len(sounds)
            before = states if everyone else states[:, present]
            said, after = self._session.run(None, {"input": windows, "state": before, "sr": _SAMPLE_RATE})
            if everyone:
                states = after
            else:
                states = states.copy()
                states[:, present] = after
            for stream, probability in zip(present, said[:, 0].tolist(), strict=True):
                probabilities[stream].append(probability)
        return probabilities, states


def load(model_path: Path) -> SileroModel:
    """The network, run once: the first time takes longer."""
    model = SileroModel(model_path)
    model.judge([bytes(CONTEXT_BYTES + CHUNK_BYTES)], np.zeros((2, 1, 128), dtype=np.float32))
    return model


def judge(network: Network, sounds: Sequence[bytes], states: States) -> tuple[list[list[float]], States]:
    """A step: what the network says."""
    return network.judge(sounds, states)
