"""A network that does what models do when they break, where a sound has a mark in it."""

import ctypes
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dialtone.vad_asr.vad.chunks import CHUNK
from dialtone.vad_asr.vad.silero import CONTEXT_BYTES, States
from tests.fixtures.speech import Samples

HANG_S = 60.0
_MARKS = {"crash": 23_001, "hang": 23_002, "raise": 23_003}
_LOUD = 300.0


def mark(fault: str) -> Samples:
    """A loud sound of 64 ms that the network breaks on."""
    return np.full(1_024, _MARKS[fault], dtype=np.int16)


class FragileNetwork:
    """Takes what is loud for voice, and counts the chunks of each stream in what it remembers of it.

    It writes down each question, and which of its processes was asked.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal

    def judge(self, sounds: Sequence[bytes], states: States) -> tuple[list[list[float]], States]:
        with self._journal.open("a") as journal:
            journal.write(json.dumps([os.getpid(), *states[0, :, 0].tolist()]) + "\n")
        states = states.copy()
        said = []
        for stream, sound in enumerate(sounds):
            samples = np.frombuffer(sound, "<i2")
            if np.any(samples == _MARKS["crash"]):
                ctypes.string_at(0)
            if np.any(samples == _MARKS["hang"]):
                time.sleep(HANG_S)
            if np.any(samples == _MARKS["raise"]):
                raise MemoryError("no room")
            chunks = samples[CONTEXT_BYTES // 2 :].reshape(-1, CHUNK).astype(np.float32)
            states[0, stream, 0] += len(chunks)
            said.append((np.sqrt((chunks**2).mean(axis=1)) > _LOUD).astype(float).tolist())
        return said, states


class BrokenNetwork:
    """Loads once; its next process does not."""

    def judge(self, sounds: Sequence[bytes], states: States) -> tuple[list[list[float]], States]:
        del sounds, states
        os.abort()


def load(journal: Path) -> FragileNetwork:
    return FragileNetwork(journal)


def load_once(marker: Path) -> BrokenNetwork:
    if marker.exists():
        raise MemoryError("no memory left")
    marker.touch()
    return BrokenNetwork()
