"""From written to spoken English."""

from __future__ import annotations

import re

from dialtone.tts.text.addresses import say_addresses
from dialtone.tts.text.english_calendar import say_calendar
from dialtone.tts.text.english_quantities import say_quantities
from dialtone.tts.text.english_words import expand_abbreviations, say_symbols, spell_acronyms

_QUOTES = re.compile(
    "[\"“”„«»‹›]|(?<!\\w)['‘’](?=\\w)(?!\\w\\w?\\b(?!['’]))|(?<=[\\w.,!?])['’](?!\\w)(?<!s['’])"
)
_ASIDE = re.compile(r"\s*[(\[{]\s*([^()\[\]{}]*?)\s*[)\]}](\s*[,.;:!?])?")
_DASH = re.compile(r"\s+[-–—]+\s+|\s*[–—]+\s*")
_DOTS = re.compile(r"…+|\.{2,}")
_LEFTOVER = re.compile(r"[()\[\]{}<>*_`~^|\\#\"]+")
_FULL_WIDTH = str.maketrans("，。！？：；（）、～", ",.!?:;(),~")


def say_english(text: str) -> str:
    """Return cleaned text with nothing left in it but words and the punctuation that voices know."""
    text = text.translate(_FULL_WIDTH)
    text = say_addresses(text, "en")
    text = say_calendar(text)
    text = expand_abbreviations(text)
    text = say_quantities(text)
    text = spell_acronyms(say_symbols(text))
    return tidy(text)


def tidy(text: str) -> str:
    """Turn the punctuation that is only seen into pauses, or into nothing."""
    text = _DOTS.sub("...", text)
    text = _QUOTES.sub("", text)
    text = _ASIDE.sub(lambda match: f", {match.group(1)}{(match.group(2) or ',').strip()}", text)
    text = _LEFTOVER.sub(" ", _DASH.sub(", ", text))
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", text)
    text = re.sub(r"[,;:]+(?=[,;:.!?])", "", text)
    text = re.sub(r"([!?])[!?]+", r"\1", text)
    return text.strip(" ,;").removeprefix(". ")
