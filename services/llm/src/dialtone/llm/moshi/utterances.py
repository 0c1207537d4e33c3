"""Where in what Moshi says an utterance begins and ends. Pure: frames in, marks out.

Moshi has no turns: it gives 80 ms of sound a step for as long as the call lasts, most of it near silence,
and the words in it as a text stream. An utterance begins with the first word, or with sound that is louder
than a threshold (laughter and "hm" have no words), and is over after a pause without both. Its sound is
passed on without delay, so the pause that ends it belongs to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dialtone.audio import Float32
from dialtone.llm.moshi.engine import FRAME, SAMPLE_RATE, Said


@dataclass(frozen=True, slots=True)
class Begun:
    """An utterance begins with this frame."""


@dataclass(frozen=True, slots=True)
class Sound:
    """80 ms of the utterance, float32 [FRAME]."""

    pcm: Float32


@dataclass(frozen=True, slots=True)
class Words:
    """Text of the utterance. The first has no space before it."""

    text: str


@dataclass(frozen=True, slots=True)
class Over:
    """The utterance is over; `text_tokens` counts its text stream, padding left out."""

    text_tokens: int


Mark = Begun | Words | Sound | Over


class Utterances:
    """Follows one call's steps.

    `voice_dbfs` is the level above which sound is speech, in dB below full scale; `pause_ms` is how long
    there has to be neither words nor speech, in steps of 80 ms, rounded up.
    """

    def __init__(self, voice_dbfs: float, pause_ms: int) -> None:
        self._voice_power = 10 ** (voice_dbfs / 10)
        self._pause_frames = math.ceil(pause_ms * SAMPLE_RATE / (1000 * FRAME))
        self._open = False
        self._quiet = 0
        self._text_tokens = 0
        self._spoken = False

    @property
    def open(self) -> bool:
        """Whether an utterance has begun and is not over."""
        return self._open

    def step(self, said: Said) -> Iterator[Mark]:
        """What a step adds, in order; nothing between utterances. To be read to its end."""
        active = said.text_token is not None or self._voiced(said.pcm)
        if active and not self._open:
            self._open, self._text_tokens, self._spoken = True, 0, False
            yield Begun()
        if not self._open:
            return
        self._quiet = 0 if active else self._quiet + 1
        self._text_tokens += said.text_token is not None
        text = said.text if self._spoken else said.text.lstrip()
        if text:
            self._spoken = True
            yield Words(text)
        if said.pcm is not None:
            yield Sound(said.pcm)
        if self._quiet >= self._pause_frames:
            yield from self.end()

    def end(self) -> Iterator[Mark]:
        """End what is open: no step follows. To be read to its end."""
        if self._open:
            self._open, self._quiet = False, 0
            yield Over(self._text_tokens)

    def _voiced(self, pcm: Float32 | None) -> bool:
        return pcm is not None and float(np.dot(pcm, pcm)) / len(pcm) > self._voice_power
