"""Mandarin in Kokoro's symbols: words by jieba, pinyin by pypinyin, IPA by pinyin-to-ipa.

The alphabet is that of misaki's first Chinese rules, which Kokoro v1.0 was trained on: affricates are one
symbol, tones are arrows, words are set apart by spaces. Tones are those of the dictionary: the model was
taught to say two third tones in a row as they are said.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import rjieba
from pinyin_to_ipa import pinyin_to_ipa
from pypinyin import Style, lazy_pinyin

_RUN = re.compile(
    r"(?P<han>[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)|(?P<word>[^\W_][^\u3400-\u9fff]*)"
)
_MARKS = str.maketrans(
    {
        "，": ", ", "、": ", ", "。": ". ", "．": ". ", "！": "! ", "？": "? ", "：": ": ", "；": "; ",
        "～": "— ", "（": ", ", "）": ", ",
    }
)  # fmt: skip
# Longest first: what pinyin-to-ipa writes, and what Kokoro has for it.
_SYMBOLS = (
    ("˧˩˧", "↓"), ("˧˥", "↗"), ("˥˩", "↘"), ("˥", "→"), ("ʈʂ", "\uab67"), ("tɕ", "ʨ"), ("ts", "ʦ"),
    ("ɻ\u0329", "ɨ"), ("ʐ\u0329", "ɨ"), ("ɹ\u0329", "ɨ"), ("z\u0329", "ɨ"), ("\u032f", ""),
)  # fmt: skip


def chinese_symbols(text: str, foreign: Callable[[str], str]) -> str:
    """Return Chinese text in the model's symbols; `foreign` makes them of words in Latin letters."""
    found = []
    text = text.translate(_MARKS)
    position = 0
    for run in _RUN.finditer(text):
        found.append(text[position : run.start()])
        found.append(_han(run["han"]) if run["han"] else f" {foreign(run['word'])} ")
        position = run.end()
    return "".join([*found, text[position:]])


def _han(text: str) -> str:
    return " ".join("".join(map(_syllable, _pinyin(word))) for word in rjieba.cut(text))


def _pinyin(word: str) -> list[str]:
    return lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, errors="ignore")


@cache
def _syllable(pinyin: str) -> str:
    """One of some 1,700 there are. An interjection that has no IPA (`hng`) is left out."""
    try:
        ipa = "".join(pinyin_to_ipa(pinyin)[0])
    except ValueError:
        return ""
    for old, new in _SYMBOLS:
        ipa = ipa.replace(old, new)
    return ipa
