"""Text as it is written to text as it is spoken. Pure functions."""

from dialtone.tts.text.language import is_speakable, language_of
from dialtone.tts.text.markup import strip_markup
from dialtone.tts.text.spoken import say

__all__ = ["is_speakable", "language_of", "say", "strip_markup"]
