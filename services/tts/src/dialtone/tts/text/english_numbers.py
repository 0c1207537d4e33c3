"""Numbers in English, by num2words, in the manner of speech ("one hundred five", not "and five")."""

from __future__ import annotations

from num2words import num2words

_LARGEST = 999_999_999_999_999  # beyond this nobody follows the words: digit by digit
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def cardinal(number: int) -> str:
    """1234 to `one thousand two hundred thirty-four`."""
    if abs(number) > _LARGEST:
        return digits(str(abs(number)))
    return _plain(num2words(number))


def ordinal(number: int) -> str:
    """21 to `twenty-first`."""
    return _plain(num2words(number, to="ordinal")) if number <= _LARGEST else cardinal(number)


def digits(text: str) -> str:
    """Every digit by itself: `010` to `zero one zero`."""
    return " ".join(_DIGITS[int(character)] for character in text if character in "0123456789")


def number(text: str) -> str:
    """A number as written, grouped or not, with decimals or not: `1,234.50` to words."""
    whole, point, decimals = text.replace(",", "").partition(".")
    said = digits(whole) if len(whole) > 1 and whole.startswith("0") else cardinal(int(whole or "0"))
    return f"{said} point {digits(decimals)}" if point and decimals else said


def year(value: int) -> str:
    """1999 to `nineteen ninety-nine`, 2005 to `two thousand five`."""
    if value % 1000 < 10 or not 1000 <= value <= 2999:
        return cardinal(value)
    century, rest = divmod(value, 100)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {f'oh {cardinal(rest)}' if rest < 10 else cardinal(rest)}"


def plural(word: str) -> str:
    """`nineteen ninety` to `nineteen nineties`."""
    if word.endswith("y"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith("x") else "s")


def _plain(words: str) -> str:
    return words.replace(" and ", " ").replace(",", "")
