"""From words to the symbols that Kokoro was trained on: those of misaki, its authors' library.

Languages in alphabets go through espeak-ng, as they do there; its IPA is turned into that alphabet, in which
a diphthong or an affricate is one symbol (https://github.com/hexgrad/misaki/blob/main/EN_PHONES.md). misaki
itself is not used: it needs Python below 3.13, and a tagger of parts of speech for English.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import partial

from piper.phonemize_espeak import EspeakPhonemizer

from dialtone.tts.engines.kokoro.alphabet import NUMBERS
from dialtone.tts.engines.kokoro.chinese import chinese_symbols

# espeak-ng's names, by our tags. It has British English under several.
_ESPEAK = {
    "en-us": "en-us", "en": "en-us", "en-gb": "en-gb-x-rp", "es": "es", "fr": "fr", "hi": "hi", "it": "it",
    "pt": "pt-br", "pt-br": "pt-br",
}  # fmt: skip
_DIPHTHONGS = (("aɪ", "I"), ("aʊ", "W"), ("eɪ", "A"), ("oʊ", "O"), ("əʊ", "Q"), ("ɔɪ", "Y"))
_AFFRICATES = (("tʃ", "ʧ"), ("dʒ", "ʤ"))
_ENGLISH = (
    ("ʔˌn\u0329", "tᵊn"), ("ʔn\u0329", "tᵊn"), ("ʔ", "t"), ("ɾ", "T"), ("r", "ɹ"), ("x", "k"), ("ɬ", "l"),
    ("ɐ", "ə"), ("ɚɹ", "əɹ"), ("ɚ", "əɹ"), ("n\u0329", "ᵊn"), ("m\u0329", "ᵊm"), ("l\u0329", "ᵊl"), ("ʲ", ""),
)  # fmt: skip
_AMERICAN = (("ɜː", "ɜɹ"), ("ɪə", "iə"), ("e", "A"), ("oː", "ɔ"), ("ː", ""), ("o", "ɔ"))
_BRITISH = (("eə", "ɛː"), ("iə", "ɪə"), ("e", "ɛ"))
_ITALIAN = (("ts", "ʦ"), ("dz", "ʣ"))
_RULES = {
    "en-us": (*_DIPHTHONGS, *_AFFRICATES, *_ENGLISH, *_AMERICAN),
    "en-gb-x-rp": (*_DIPHTHONGS, *_AFFRICATES, *_ENGLISH, *_BRITISH),
    "it": (*_DIPHTHONGS, *_AFFRICATES, *_ITALIAN),
}
_OTHERS = (*_DIPHTHONGS, *_AFFRICATES)
_SPACES = re.compile(r"\s+")
# The pronoun, which espeak-ng leaves without stress; the model then all but drops it.
_PRONOUN = re.compile(r"(?<!\S)I(?!\S)")

# espeak-ng keeps the voice that was set last in a variable of the process.
_espeak_is_used = threading.Lock()
_espeak: list[EspeakPhonemizer] = []


def symbols(text: str, accent: str) -> str:
    """Return a sentence in the model's symbols, punctuation kept (blocking); `accent` is the entry's."""
    if accent.split("-")[0] == "zh":
        return _tidy(chinese_symbols(text, partial(_alphabetic, accent="en-us")))
    return _tidy(_alphabetic(text, accent))


def _alphabetic(text: str, accent: str) -> str:
    voice = _ESPEAK.get(accent) or _ESPEAK[accent.split("-")[0]]
    with _espeak_is_used:
        if not _espeak:
            _espeak.append(EspeakPhonemizer())
        sentences = _espeak[0].phonemize(voice, text)
    ipa = " ".join("".join(sentence) for sentence in sentences)
    for old, new in _RULES.get(voice, _OTHERS):
        ipa = ipa.replace(old, new)
    return _PRONOUN.sub("ˌI", ipa) if voice.startswith("en") else ipa


def _tidy(found: str) -> str:
    """Leave what the model knows: letters with their accents in one, but for the tilde of nasal vowels."""
    found = _SPACES.sub(" ", found)
    composed = unicodedata.normalize("NFC", found.replace("\u0303", "\ue000")).replace("\ue000", "\u0303")
    return _SPACES.sub(" ", "".join(symbol for symbol in composed if symbol in NUMBERS)).strip()
