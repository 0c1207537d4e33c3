"""From written to spoken Chinese: WeTextProcessing's grammars (dates, money, numbers, units), compiled."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from dialtone.tts.text.addresses import say_addresses

if TYPE_CHECKING:
    from wetext import Normalizer  # type: ignore[import-untyped]

_LEFTOVER = re.compile(r"[\[\]{}<>*_`~^|\\#\"“”「」『』《》〈〉]+")
_SPACES = re.compile(r"\s+")
_ASIDE = re.compile(r"[（(]\s*([^（）()]*?)\s*[)）]")


def say_chinese(text: str) -> str:
    """Return cleaned text with numbers, dates and units in words."""
    text = say_addresses(text, "zh")
    text = _grammar().normalize(text) if any(character.isdigit() for character in text) else text
    text = _ASIDE.sub(r"，\1，", text)
    return _SPACES.sub(" ", _LEFTOVER.sub(" ", text)).strip()


@cache
def _grammar() -> Normalizer:
    # 35 MB that a worker without a Chinese voice does without.
    from wetext import Normalizer

    return Normalizer(lang="zh", operator="tn", remove_erhua=False)
