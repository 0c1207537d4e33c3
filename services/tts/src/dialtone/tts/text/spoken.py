"""Chooses the rules of a language."""

from __future__ import annotations

from dialtone.tts.text.addresses import say_addresses
from dialtone.tts.text.chinese import say_chinese
from dialtone.tts.text.english import say_english, tidy


def say(text: str, language: str) -> str:
    """Return plain text as it is to be read aloud. Other languages are left to the engine's own rules."""
    if language == "en":
        return say_english(text)
    if language == "zh":
        return say_chinese(text)
    return tidy(say_addresses(text, language))
