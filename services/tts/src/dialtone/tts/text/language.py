"""Which language a text is in, told by its script."""

from __future__ import annotations

import re
from collections import Counter

# What a script says when nothing else is known, and the languages written in it that it must not overrule.
_SCRIPTS: dict[str, tuple[str, str, frozenset[str]]] = {
    "han": (
        r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
        "zh",
        frozenset({"zh", "ja", "ko", "yue"}),
    ),
    "kana": (r"\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9d", "ja", frozenset({"ja"})),
    "hangul": (r"\uac00-\ud7af\u1100-\u11ff\u3130-\u318f", "ko", frozenset({"ko"})),
    "cyrillic": (
        r"\u0400-\u052f",
        "ru",
        frozenset({"ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tg", "mn", "tt", "ba"}),
    ),
    "greek": (r"\u0370-\u03ff\u1f00-\u1fff", "el", frozenset({"el"})),
    "arabic": (r"\u0600-\u06ff\u0750-\u077f", "ar", frozenset({"ar", "fa", "ur", "ps", "sd", "ug"})),
    "hebrew": (r"\u0590-\u05ff", "he", frozenset({"he", "yi"})),
    "thai": (r"\u0e00-\u0e7f", "th", frozenset({"th"})),
    "devanagari": (r"\u0900-\u097f", "hi", frozenset({"hi", "mr", "ne", "sa"})),
}
_LATIN = r"A-Za-z\u00c0-\u024f\u1e00-\u1eff"
_WITHOUT_SPACES = frozenset({"han", "kana", "thai"})  # here a letter counts, elsewhere a word
_RUNS = {
    script: re.compile(f"[{letters}]" if script in _WITHOUT_SPACES else f"[{letters}]+")
    for script, (letters, _, _) in _SCRIPTS.items()
}
_LATIN_WORD = re.compile(f"[{_LATIN}][{_LATIN}'’]*")
_LATIN_RUN = re.compile(f"[{_LATIN}](?:[{_LATIN}\\d\\s'’.,&+-]*[{_LATIN}\\d])?")
_FOREIGN_RUN = re.compile(
    "|".join(f"(?P<{script}>[{letters}](?:[{letters}\\d\\s、。，！？：；·ー]*[{letters}])?)"
             for script, (letters, _, _) in _SCRIPTS.items())
)  # fmt: skip
_DEFAULT = "en"


def primary_subtag(language: str) -> str:
    """`zh-CN` and `zh_CN` to `zh`."""
    return re.split(r"[-_]", language.strip().lower(), maxsplit=1)[0]


def language_of(text: str, stated: str = "") -> str:
    """ISO 639-1 of the script that most of the text is in.

    A Latin word counts as one Han character does. `stated` decides among the languages of one script, but
    does not make a script into another: Chinese text stays Chinese when English was stated.
    """
    stated = primary_subtag(stated)
    counts = Counter({script: len(letter.findall(text)) for script, letter in _RUNS.items()})
    if counts["kana"]:  # Japanese is written with Han characters too
        counts["kana"] += counts.pop("han")
    script, count = counts.most_common(1)[0]
    latin_words = len(_LATIN_WORD.findall(text))
    if count == latin_words == 0:  # digits alone are in whatever language is spoken
        return stated or _DEFAULT
    if latin_words > count:
        return stated if stated and not _script_of(stated) else _DEFAULT
    _, default, languages = _SCRIPTS[script]
    return stated if stated in languages else default


def split_by_script(text: str, language: str) -> list[tuple[str, str]]:
    """Cut out what is in another script than a language in Latin letters: (language, text) in order."""
    parts: list[tuple[str, str]] = []
    position = 0
    for match in _FOREIGN_RUN.finditer(text):
        parts += [(language, text[position : match.start()]), (language_of(match.group()), match.group())]
        position = match.end()
    parts.append((language, text[position:]))
    return [(part_language, part) for part_language, part in parts if is_speakable(part)]


def split_latin(text: str, language: str) -> list[tuple[str, str]]:
    """Cut out the words in Latin letters, as English, of a language in another script: (language, text)."""
    parts: list[tuple[str, str]] = []
    position = 0
    for match in _LATIN_RUN.finditer(text):
        parts += [(language, text[position : match.start()]), (_DEFAULT, match.group())]
        position = match.end()
    parts.append((language, text[position:]))
    return [(part_language, part) for part_language, part in parts if is_speakable(part)]


def is_latin(language: str) -> bool:
    """Whether a language is written in Latin letters, as far as is known here."""
    return not _script_of(language)


def is_speakable(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return any(character.isalnum() for character in text)


def _script_of(language: str) -> str:
    return next((script for script, (_, _, languages) in _SCRIPTS.items() if language in languages), "")
