"""Takes away what is written for the eye: markdown, HTML, emoji, control characters."""

from __future__ import annotations

import html
import re
import unicodedata

_TAG = re.compile(
    r"</?[A-Za-z][A-Za-z0-9:-]*(?:\s[^<>]{0,500})?/?>|<!--.{0,2000}?-->|<\?[^<>]{0,500}>", re.DOTALL
)
_SILENT_ELEMENT = re.compile(
    r"<(script|style|audio)\b[^>]{0,500}>.{0,4000}?</\1\s*>", re.DOTALL | re.IGNORECASE
)
_BREAK = re.compile(r"<(?:br|break|p|/p|li|/li|/h[1-6])\b[^<>]{0,200}>", re.IGNORECASE)

_FENCE = re.compile(r"^\s*(?:```|~~~)[\w+-]*\s*$", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_LINK = re.compile(r"\[([^\]]+)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)")
_REFERENCE = re.compile(r"\[([^\]]+)\]\[[^\]]*\]|\[\^?\d{1,3}\]|【\d[^】]*】")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]+)>")
_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*(?:[-*_=][ \t]*){3,}$", re.MULTILINE)
_QUOTE = re.compile(r"^[ \t]{0,3}(?:>[ \t]?)+", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*[-*+•‣◦▪●][ \t]+(?:\[[ xX]\][ \t]+)?", re.MULTILINE)
_TABLE_RULE = re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*(?::?-{2,}:?)?[ \t]*$", re.MULTILINE)
_CODE = re.compile(r"`+([^`]*)`+")
# Underscores mark emphasis only at the edges of words: snake_case is a word.
_EMPHASIS = re.compile(r"\*+|~~|(?<![^\W_])_{1,3}(?=\S)|(?<=[^\s_])_{1,3}(?![^\W_])")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|>~-])")
_LINE_END = re.compile(r"(?<=[^\s.,;:!?。，；：！？、…])[ \t]*\n+")

_KEYCAP = re.compile("([0-9#*])\ufe0f?\u20e3")
# Emoji blocks, flags, skin tones, tags, joiners, dingbats and arrows.
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U000e0020-\U000e007f\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\u200d\ufe0e\ufe0f\u20e3©®™]+"
)
_SMILEY = re.compile(r"(?<!\S)(?:[:;=8][-'^]?[)(DPpOo/\\|*]|<3|[xX]D|\^_\^)(?=[\s.,!?]|$)")
_SPACES = re.compile(r"[ \t\u00a0\u2000-\u200a\u202f\u205f\u3000]+")


def strip_markup(text: str) -> str:
    """Return plain text: links become their words, list items and headings become sentences."""
    text = html.unescape(_without_tags(text))
    text = _RULE.sub("", _TABLE_RULE.sub("", _FENCE.sub("", text)))
    text = _LINK.sub(r"\1", _IMAGE.sub(r"\1", text))
    text = _REFERENCE.sub(lambda match: match.group(1) or "", text)
    text = _HEADING.sub(r"\1", text)
    text = _BULLET.sub("", _QUOTE.sub("", text))
    text = _CODE.sub(r"\1", text)
    text = _ESCAPED.sub(r"\1", _EMPHASIS.sub(_kept_between_numbers, text))
    text = _without_emoji(text)
    text = text.replace("|", ", ")
    return _one_line(text)


def _without_tags(text: str) -> str:
    text = _AUTOLINK.sub(r"\1", _SILENT_ELEMENT.sub(" ", text))
    return _TAG.sub("", _BREAK.sub("\n", text))


def _kept_between_numbers(match: re.Match[str]) -> str:
    """`2 * 3` and `2*3` are sums, not emphasis."""
    before, after = match.string[: match.start()].rstrip(), match.string[match.end() :].lstrip()
    product = match.group() == "*" and before[-1:].isdigit() and after[:1].isdigit()
    return "×" if product else ""


def _without_emoji(text: str) -> str:
    return _SMILEY.sub("", _EMOJI.sub(" ", _KEYCAP.sub(r"\1", text)))


def _one_line(text: str) -> str:
    """Turn line ends into sentence ends, and drop what no font shows."""
    text = _LINE_END.sub(". ", text.strip())
    text = "".join(
        character for character in text.replace("\n", " ").replace("\t", " ")
        if unicodedata.category(character) not in ("Cc", "Cf", "Co", "Cs", "Cn")
    )  # fmt: skip
    return re.sub(r" +([.,;:!?。，；：！？、])", r"\1", _SPACES.sub(" ", text)).strip(" ,;")
