"""Which language a text is in, told by its script."""

from __future__ import annotations

import re
from collections import Counter

# What a script says when nothing else is known, and the languages written in it that it must not overrule.
_SCRIPTS: dict[str, tuple[str, str, frozenset[str]]] = {
    "han": (r"㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff", "zh", frozenset({"zh", "ja", "ko", "yue"})),
    "kana": (r"぀-ヿㇰ-ㇿｦ-ﾝ", "ja", frozenset({"ja"})),
    "hangul": (r"가-힯ᄀ-ᇿ㄰-㆏", "ko", frozenset({"ko"})),
    "cyrillic": (
        r"Ѐ-ԯ",
        "ru",
        frozenset({"ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tg", "mn", "tt", "ba"}),
    ),
    "greek": (r"Ͱ-Ͽἀ-῿", "el", frozenset({"el"})),
    "arabic": (r"؀-ۿݐ-ݿ", "ar", frozenset({"ar", "fa", "ur", "ps", "sd", "ug"})),
    "hebrew": (r"֐-׿", "he", frozenset({"he", "yi"})),
    "thai": (r"฀-๿", "th", frozenset({"th"})),
    "devanagari": (r"ऀ-ॿ", "hi", frozenset({"hi", "mr", "ne", "sa"})),
}
_LATIN = r"A-Za-zÀ-ɏḀ-ỿ"
_RUNS = {script: re.compile(f"[{letters}]") for script, (letters, _, _) in _SCRIPTS.items()}
_LATIN_WORD = re.compile(f"[{_LATIN}][{_LATIN}'’]*")
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
    if count == 0 or len(_LATIN_WORD.findall(text)) > count:
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


def is_latin(language: str) -> bool:
    """Whether a language is written in Latin letters, as far as is known here."""
    return not _script_of(language)


def is_speakable(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return any(character.isalnum() for character in text)


def _script_of(language: str) -> str:
    return next((script for script, (_, _, languages) in _SCRIPTS.items() if language in languages), "")
