"""Whether somebody who pauses sounds as if they were done: from the words, for semantic turn detection."""

from __future__ import annotations

from enum import Enum, auto

_CLOSING = " \t\n\"'”’»)]」』）】"
_FINISHED = (".", "?", "!", "。", "？", "！")
_GOES_ON = ("...", "…", ",", ";", ":", "-", "–", "—", "，", "、", "；", "：")
# Nobody's last words. The recogniser closes a sentence behind them all the same.
_OPEN_WORDS = frozenset(
    {
        *("a", "an", "the", "my", "your", "our", "their", "his", "its", "is", "are", "was", "were", "am"),
        *("and", "or", "but", "because", "so", "if", "when", "while", "that", "which", "than", "as"),
        *("with", "to", "of", "for", "from", "in", "on", "at", "by", "into", "about", "i'm", "it's"),
        *("um", "umm", "uh", "uhm", "er", "erm", "hmm", "mm", "well", "like"),
    }
)
_OPEN_ENDS = (
    *("和", "跟", "与", "或者", "还是", "但是", "可是", "不过", "因为", "所以", "如果", "而且", "然后"),
    *("就是", "比如", "嗯", "呃", "那个", "这个", "的话"),
)


class TurnEnd(Enum):
    """How a pause after these words sounds."""

    FINISHED = auto()
    UNSURE = auto()
    UNFINISHED = auto()


def sounds(text: str) -> TurnEnd:
    """Judges a transcript of what was said up to a pause, in any language that ends its sentences."""
    said = text.rstrip(_CLOSING)
    if not said:
        return TurnEnd.UNSURE
    if said.endswith(_GOES_ON):
        return TurnEnd.UNFINISHED
    finished = said.endswith(_FINISHED)
    if finished and said[-1] not in ".。":
        return TurnEnd.FINISHED  # a question may end in "of" or "that"
    bare = said.rstrip("".join(_FINISHED))
    last_word = bare.rsplit(maxsplit=1)[-1].lower() if bare.strip() else ""
    if last_word in _OPEN_WORDS or bare.endswith(_OPEN_ENDS):
        return TurnEnd.UNFINISHED
    return TurnEnd.FINISHED if finished else TurnEnd.UNSURE
