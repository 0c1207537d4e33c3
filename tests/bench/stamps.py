"""Times inside audio: how long a frame was on its way, told by the frame itself.

All processes of one machine read the same monotonic clock, so the receiver subtracts. A stamp is 24 bytes at
the start of a frame's samples: 32 characters of base64, which can be replaced without encoding the rest.
"""

from __future__ import annotations

import struct
import time

import pybase64

STAMP_BYTES = 24
STAMP_CHARACTERS = 32
_MARK = b"dialtone-bench--"
_STAMP = struct.Struct("<16sq")


def stamp() -> bytes:
    """The present moment."""
    return _STAMP.pack(_MARK, time.monotonic_ns())


def age_s(audio: bytes) -> float | None:
    """Seconds since the audio was stamped; None for audio without a stamp."""
    if len(audio) < STAMP_BYTES:
        return None
    mark, stamped_ns = _STAMP.unpack_from(audio)
    return (time.monotonic_ns() - stamped_ns) / 1e9 if mark == _MARK else None


def age_of_base64(text: bytes) -> float | None:
    """The same for base64; more may follow the stamp."""
    return age_s(pybase64.b64decode(text[:STAMP_CHARACTERS])) if len(text) >= STAMP_CHARACTERS else None


class Delays:
    """When frames arrived and how long they took, for one direction."""

    def __init__(self) -> None:
        self.values: list[tuple[float, float]] = []

    def add(self, age: float) -> None:
        """A frame that was `age` seconds on its way arrives now."""
        self.values.append((time.monotonic(), age))

    def between(self, start: float, end: float) -> list[float]:
        """Milliseconds, of the frames that arrived in between."""
        return [age * 1e3 for at, age in self.values if start <= at <= end]
