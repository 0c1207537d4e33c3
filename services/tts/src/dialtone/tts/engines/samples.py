"""Samples out of bytes that are cut anywhere."""

from __future__ import annotations

import numpy as np

from dialtone.audio import Float32, pcm16_from_bytes, pcm16_to_float
from dialtone.telemetry import get_logger
from dialtone.vendors.failures import UpstreamFailure

log = get_logger(__name__)

# What other formats begin with, where a server names them wrongly: played, they are noise at full volume. PCM
# that begins so is improbable: with one of a dozen values of 65,536, none of them near silence.
_OTHER_FORMATS = {
    b"RIFF": "WAV", b"OggS": "Ogg", b"fLaC": "FLAC", b"\x1a\x45\xdf\xa3": "WebM",
    b"ID3": "MP3", b"\xff\xfb": "MP3", b"\xff\xf3": "MP3", b"\xff\xf2": "MP3",
    b"\xff\xf1": "AAC", b"\xff\xf9": "AAC",
    b'{"': "JSON", b"<!": "a page", b"<html": "a page",
}  # fmt: skip
_BEGINNING = max(map(len, _OTHER_FORMATS))


class Samples:
    """Of one sentence: takes 16 bits, little-endian, mono in parts of any size, and applies a gain."""

    def __init__(self, backend: str, gain: float) -> None:
        self._backend = backend
        self._gain = np.float32(gain)
        self._pending = b""
        self._begun = False
        self.taken = 0
        """Bytes so far."""

    def feed(self, part: bytes) -> Float32:
        """Return the samples that are complete, float32 [n], n may be 0.

        Raises UpstreamFailure for what begins as a file of another format does.
        """
        self.taken += len(part)
        data = self._pending + part
        if not self._begun:
            if len(data) < _BEGINNING:
                self._pending = data
                return np.zeros(0, dtype=np.float32)
            for magic, what in _OTHER_FORMATS.items():
                if data.startswith(magic):
                    raise UpstreamFailure("bad_upstream", f"answered {what} instead of PCM")
            self._begun = True
        whole = len(data) - len(data) % 2
        self._pending = data[whole:]
        return self._gain * pcm16_to_float(pcm16_from_bytes(data[:whole]))

    def end(self) -> None:
        """Note that no more comes. Raises UpstreamFailure where that is too soon to be audio."""
        if not self._pending:
            return
        if not self._begun:
            raise UpstreamFailure("upstream_cut", "the audio broke off at its beginning", again=True)
        log.warning("audio ended in the middle of a sample", backend=self._backend)
