"""Keeps 16-bit samples whole where a client cuts its audio anywhere."""

from __future__ import annotations


class SampleAligner:
    """Holds back the odd byte of a slice and puts it before the next one."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def align(self, audio: bytes) -> bytes:
        """The whole samples so far that have not been returned; may be empty."""
        if self._rest:
            audio = self._rest + audio
            self._rest = b""
        if len(audio) & 1:
            self._rest = audio[-1:]
            return audio[:-1]
        return audio

    def reset(self) -> None:
        """Drop half a sample: what comes next does not continue it."""
        self._rest = b""
