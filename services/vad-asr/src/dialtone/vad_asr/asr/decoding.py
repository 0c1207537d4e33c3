"""From Whisper's tokens to text, for windows shorter than the 30 s that it was trained on.

On a short window the model does not always stop at the end of the speech: it starts the phrase again.
With timestamp tokens it says where each phrase ends, so that everything from the first phrase end at
the end of the audio on can be cut, and a phrase that repeats the one before it is dropped.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

TIMESTAMP_SECONDS = 0.02
LOOPING_COMPRESSION = 2.4
LETTERS_PER_SECOND = 30  # more than anybody says
_END_SLACK_SECONDS = 0.16  # a phrase that ends this close to the end of the audio is the last one
_OVERRUN_SECONDS = 0.5  # a phrase that ends this far behind the audio ran on
_WORD_LETTERS = 6
_MIN_ROUND_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Phrase:
    """Text tokens between two timestamps; `end` is None when the model stopped without one."""

    start: float
    end: float | None
    tokens: tuple[int, ...]


def phrases(tokens: Sequence[int], *, timestamp_begin: int, end_of_text: int) -> Iterator[Phrase]:
    """Cuts the token ids at their timestamps."""
    start = 0.0
    text: list[int] = []
    for token in tokens:
        if token < end_of_text:
            text.append(token)
        elif token >= timestamp_begin:
            at = (token - timestamp_begin) * TIMESTAMP_SECONDS
            if text:
                yield Phrase(start, at, tuple(text))
                text = []
            start = at
    if text:
        yield Phrase(start, None, tuple(text))


def spoken_text(spoken: Sequence[Phrase], seconds: float, decode: Callable[[list[int]], str]) -> str:
    """The text of the phrases that lie in the first `seconds` and are not repetitions."""
    kept = ""
    last = ""
    for phrase in spoken:
        if phrase.start >= seconds:
            break
        room = (seconds - phrase.start) * LETTERS_PER_SECOND
        text = decode(list(phrase.tokens)).replace("\ufffd", "")  # a character cut off by the length limit
        ran_on = phrase.end is None or phrase.end > seconds + _OVERRUN_SECONDS
        if ran_on:
            text = without_rounds(text)
        said = _bare(text)
        if said and len(said) <= room and not _repeats(said, last, ran_on=ran_on):
            kept += text
            last = said
        if phrase.end is not None and phrase.end >= seconds - _END_SLACK_SECONDS:
            break
    if compression_ratio(kept) > LOOPING_COMPRESSION:
        kept = without_rounds(kept)
    return kept.strip()


def spoken_until(spoken: Sequence[Phrase], seconds: float) -> float | None:
    """Where in the first `seconds` the model stopped though more follows; None: it heard all of them."""
    until = 0.0
    for phrase in spoken:
        if phrase.start >= seconds:
            break
        if phrase.end is None or phrase.end >= seconds - _END_SLACK_SECONDS:
            return None
        until = phrase.end
    return until


def _repeats(said: str, last: str, *, ran_on: bool) -> bool:
    """Whether a phrase is the one before it again, as far as the model got, or the end of it.

    A word said twice within the audio is speech ("no, no"); a phrase of several is the model.
    """
    if ran_on:
        return last.startswith(said) or last.endswith(said)
    return len(said) > _WORD_LETTERS and last.startswith(said)


def without_rounds(text: str) -> str:
    """Cuts a text that starts over until its end ("ten of clubs ten of clubs ten of") to one round."""
    letters = [(at, char.lower()) for at, char in enumerate(text) if char.isalnum()]
    count = len(letters)
    for begin in range(max(count - 2 * _MIN_ROUND_LETTERS, 1)):
        for period in range(_MIN_ROUND_LETTERS, (count - begin) * 2 // 3 + 1):
            if begin > 0 and count - begin < 2 * period:
                break  # after an introduction of its own, two full rounds are asked for
            tail = letters[begin:]
            if all(a[1] == b[1] for a, b in zip(tail, tail[period:], strict=False)):
                return text[: letters[begin + period][0]].rstrip()
    return text


def compression_ratio(text: str) -> float:
    """How many times smaller zlib makes the text: above 2.4 it is one phrase over and over."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def _bare(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())
