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
# What the grammars misread: "€1,234.56" and "2.0.1" as two numbers each.
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_VERSION = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d+){2,}(?![\d.])")
_ASIDE = re.compile(r"[（(]\s*([^（）()]*?)\s*[)）]")


def say_chinese(text: str) -> str:
    """Return cleaned text with numbers, dates and units in words."""
    text = say_addresses(text, "zh")
    if any(character.isdigit() for character in text):
        text = _VERSION.sub(lambda match: match.group().replace(".", "点"), _THOUSANDS.sub("", text))
        text = _grammar().normalize(text)
    text = _ASIDE.sub(r"，\1，", text)
    return _SPACES.sub(" ", _LEFTOVER.sub(" ", text)).strip()


@cache
def _grammar() -> Normalizer:
    # 35 MB that a worker without a Chinese voice does without.
    from wetext import Normalizer

    return Normalizer(lang="zh", operator="tn", remove_erhua=False)
