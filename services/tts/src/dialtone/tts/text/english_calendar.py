"""Rules for dates, times of day and telephone numbers in English."""

from __future__ import annotations

import re

from dialtone.tts.text.english_numbers import cardinal, digits, ordinal, year
from dialtone.tts.text.english_quantities import Rule

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_SHORT = {name[:3]: name for name in _MONTHS} | {"Sept": "September"}
_MONTH = rf"({'|'.join(_MONTHS)}|(?:{'|'.join(sorted(_SHORT, reverse=True))})\.?)"
_DAY = r"(3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
_YEAR = r"(?:,? ([12]\d{3})\b(?![.,:]\d))?"
_HALF = r"\s?([AaPp])(?:\.\s?[Mm]\b\.?|[Mm]\b\.?)"


def _date(month: str, day: int, of_year: str | None) -> str:
    return f"{month} {ordinal(day)}" + (f", {year(int(of_year))}" if of_year else "")


def _full(month: str) -> str:
    return _SHORT.get(month.rstrip("."), month)


def _iso(match: re.Match[str]) -> str:
    years, month, day = (int(group) for group in match.group(1, 2, 3))
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match.group()
    return _date(_MONTHS[month - 1], day, str(years))


def _slashed(match: re.Match[str]) -> str:
    """Month first, unless only the other order makes a date."""
    first, second = int(match.group(1)), int(match.group(2))
    month, day = (first, second) if first <= 12 else (second, first)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match.group()
    years = match.group(3)
    return _date(_MONTHS[month - 1], day, years if len(years) == 4 else f"20{years}")


def _day_first(match: re.Match[str]) -> str:
    day, month, of_year = match.group(1, 2, 3)
    return f"{ordinal(int(day))} of {_full(month)}" + (f" {year(int(of_year))}" if of_year else "")


def _clock(match: re.Match[str]) -> str:
    hour, minute, half = int(match.group(1)), int(match.group(2) or 0), match.group(3)
    if hour > 23 or minute > 59:
        return match.group()
    spoken = _minutes(hour, minute, bool(half))
    if not half:
        return spoken
    # Where nothing follows, the full stop of "p.m." is the sentence's own too.
    ends = match.group().endswith(".") and not match.string[match.end() :].strip()
    return f"{spoken} {half.upper()} M{'.' if ends else ''}"


def _minutes(hour: int, minute: int, twelve_hours: bool) -> str:
    if minute:
        return f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    if twelve_hours:
        return cardinal(hour)
    if hour == 0:
        return "midnight"
    return f"{cardinal(hour)} o'clock" if hour <= 12 else f"{cardinal(hour)} hundred hours"


def _telephone(match: re.Match[str]) -> str:
    number = match.group()
    groups = ", ".join(digits(group) for group in re.findall(r"\d+", number))
    return f"plus {groups}" if number.startswith("+") else groups


RULES: tuple[Rule, ...] = (
    (
        re.compile(r"\b([Cc]all|[Dd]ial|[Tt]ext) (\d{3,6})\b(?![-.,:/]?\d)"),
        lambda m: f"{m.group(1)} {digits(m.group(2))}",
    ),
    (re.compile(r"(?<![\w.+-])\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}(?![\w-])"), _telephone),
    (re.compile(r"(?<![\w.+-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"), _telephone),
    (re.compile(r"(?<![\w.+-])\d{3}-\d{4}(?![\w-])"), _telephone),
    (re.compile(r"(?<![\w.+-])\d{3}-\d{4}-\d{4}(?![\w-])"), _telephone),
    (re.compile(r"(?<![\w-])([12]\d{3})-(\d{1,2})-(\d{1,2})(?![\w-])"), _iso),
    (re.compile(r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\w/])"), _slashed),
    (re.compile(rf"\b{_DAY}(?: of)? {_MONTH}{_YEAR}(?!\w)"), _day_first),
    (
        re.compile(rf"\b{_MONTH} {_DAY}\b(?![.,:]\d|%){_YEAR}"),
        lambda m: _date(_full(m.group(1)), int(m.group(2)), m.group(3)),
    ),
    (
        re.compile(rf"\b({'|'.join(_MONTHS)}),? ([12]\d{{3}})\b"),
        lambda m: f"{m.group(1)} {year(int(m.group(2)))}",
    ),
    (
        re.compile(rf"\b(\d{{1,2}}(?::[0-5]\d)?(?:{_HALF})?)\s?[-–—]\s?(?=\d{{1,2}}(?::[0-5]\d|{_HALF}))"),
        lambda m: f"{m.group(1)} to ",
    ),
    (re.compile(rf"\b(\d{{1,2}})(?::([0-5]\d))?{_HALF}"), _clock),
    (re.compile(r"(?<![\w:])([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?()(?![\w:])"), _clock),
)


def say_calendar(text: str) -> str:
    """Put dates, times and telephone numbers of an English text into words."""
    for pattern, said in RULES:
        text = pattern.sub(said, text)
    return text
