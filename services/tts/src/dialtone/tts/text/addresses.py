"""Says URLs and e-mail addresses the way people do."""

from __future__ import annotations

import re

_TLDS = (
    "com|org|net|edu|gov|mil|int|io|ai|app|dev|info|biz|me|tv|co|uk|us|eu|de|fr|cn|jp|ca|au|in|ch|nl|es|it|se"
)
_HOST = rf"(?:[a-z0-9](?:[a-z0-9-]{{0,62}}[a-z0-9])?\.){{1,6}}(?:{_TLDS}|[a-z]{{2,12}})"
_EMAIL = re.compile(
    rf"(?:mailto:)?(?<![\w.+-])([a-z0-9][\w.+-]{{0,63}})@({_HOST})(?![\w@])", re.IGNORECASE | re.ASCII
)
_URL = re.compile(r"\b(?:https?|ftp|wss?)://([^\s<>\"'，。！？、）)\]]+)", re.IGNORECASE)
_BARE = re.compile(
    rf"(?<![\w@./-])(?:www\.{_HOST}|(?:[a-z0-9-]{{1,63}}\.){{1,4}}(?:{_TLDS}))"
    r"(?::\d+)?(?:/[^\s<>\"'，。！？、）)\]]*)?(?![\w@-])",
    re.IGNORECASE | re.ASCII,
)
_LONGEST_PATH = 24  # a longer path helps nobody who listens

_ENGLISH = {".": " dot ", "@": " at ", "-": " dash ", "_": " underscore ", "/": " slash ", "+": " plus "}
_CHINESE = {**_ENGLISH, ".": " 点 ", "-": " 杠 ", "_": " 下划线 ", "/": " 斜杠 ", "+": " 加 "}


def say_addresses(text: str, language: str) -> str:
    """Replace addresses by words; of a URL the host and a short path are said, no more."""
    words = _CHINESE if language == "zh" else _ENGLISH

    def email(match: re.Match[str]) -> str:
        return _say(f"{match.group(1)}@{match.group(2)}", words)

    def url(match: re.Match[str]) -> str:
        return _say_url(match.group(1), words)

    text = _EMAIL.sub(email, text)
    text = _URL.sub(url, text)
    return _BARE.sub(lambda match: _say_url(match.group(), words), text)


def _say_url(address: str, words: dict[str, str]) -> str:
    stripped = address.rstrip(".,;:!?")
    host, _, path = re.split(r"[?#]", stripped, maxsplit=1)[0].partition("/")
    host = re.sub(r"^www\.|:\d+$", "", host, flags=re.IGNORECASE)
    path = path.strip("/")
    said = _say(f"{host}/{path}" if path and len(path) <= _LONGEST_PATH else host, words)
    return said + address[len(stripped) :]


def _say(address: str, words: dict[str, str]) -> str:
    said = "".join(words.get(character, character) for character in address)
    return " ".join(re.sub(r"[^\w\s]", " ", said).split())
