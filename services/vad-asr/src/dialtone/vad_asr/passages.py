"""Cuts a turn into passages that the recogniser takes: without long silences, none too long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dialtone.audio import Pcm16
from dialtone.vad_asr.asr.recognition import MAX_PASSAGE_SECONDS, SAMPLE_RATE, Passage
from dialtone.vad_asr.recording import Recording, VoicedSpans

# Kept around voice: the detectors miss soft beginnings and ends, and Whisper wants to hear a little
# silence first: 0.1-0.3 s before the voice save errors.
MARGIN = SAMPLE_RATE // 4
LONG_GAP = SAMPLE_RATE * 2
LONGEST = int(MAX_PASSAGE_SECONDS * SAMPLE_RATE)
_EARLIEST_CUT = SAMPLE_RATE * 12
_BLOCK = SAMPLE_RATE // 100
_HUSH = 20  # blocks: a long passage is cut where 200 ms are quietest


@dataclass(frozen=True, slots=True)
class Cut:
    """A passage, and the position at which it ends.

    What is said later changes none but the last one of a turn.
    """

    passage: Passage
    end: int


def passages(
    recording: Recording,
    voice: VoicedSpans,
    start: int,
    end: int,
    *,
    language: str,
    prompt: str,
    tail: int = MARGIN,
) -> list[Cut]:
    """The passages of the turn [start, end), in order; none where no voice was heard. `tail` is how many
    samples are kept after the last voice."""
    cuts: list[Cut] = []
    start = max(start, recording.start)
    for first, last in _stretches(voice.within(start, end), start, end, tail):
        while first < last:
            samples = recording.read(first, min(last, first + LONGEST))
            if last - first > LONGEST:
                samples = samples[: _quietest(samples)]
            if not len(samples):
                break
            after = first + len(samples)
            spans = tuple((a - first, b - first) for a, b in voice.within(first, after))
            voiced_us = sum(b - a for a, b in spans) * 1_000_000 // SAMPLE_RATE
            cuts.append(Cut(Passage(samples, language, prompt, voiced_us, spans), after))
            first = after
    return cuts


def _stretches(spans: list[tuple[int, int]], start: int, end: int, tail: int) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and first - joined[-1][1] < LONG_GAP:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    kept = [MARGIN] * len(joined[1:]) + [tail] * len(joined[:1])
    return [
        (max(first - MARGIN, start), min(last + after, end))
        for (first, last), after in zip(joined, kept, strict=True)
    ]


def _quietest(samples: Pcm16) -> int:
    """Where to cut: the middle of the quietest 200 ms between the earliest and the latest place."""
    blocks = samples[_EARLIEST_CUT:LONGEST].reshape(-1, _BLOCK).astype(np.float32)
    energy = np.concatenate(([0.0], np.cumsum(np.einsum("ij,ij->i", blocks, blocks), dtype=np.float64)))
    hush = energy[_HUSH:] - energy[:-_HUSH]
    return _EARLIEST_CUT + (int(hush.argmin()) + _HUSH // 2) * _BLOCK
