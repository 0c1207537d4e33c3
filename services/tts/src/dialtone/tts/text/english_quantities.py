"""Rules for money, percentages, units, ranges and whatever else stands beside a number in English.

A rule is a pattern and what to say for a match. The order of RULES matters: a number that an earlier rule
put into words is no number to a later one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from dialtone.tts.text.english_numbers import cardinal, digits, number, ordinal, plural, year

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

NUM = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_START = r"(?<![\w.,])"
_MINUS = r"(?<![\w)\]][-−–])(?<![\w)\]])[-−]"

_CURRENCIES = {  # symbol: one, many, the hundredth, hundredths
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("U.S. dollar", "U.S. dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "", ""),
    "￥": ("yuan", "yuan", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "", ""),
}
_CODES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "￥", "RMB": "￥", "INR": "₹"}
_SCALES = {"k": "thousand", "m": "million", "mm": "million", "bn": "billion", "b": "billion", "t": "trillion"}
_SYMBOL = r"US\$|[$€£¥￥₹₩]"
_SCALE = r"(?:\s?(thousand|million|billion|trillion)\b|(k|K|m|M|mm|bn|B|b|T)\b)?"
_CODE = "|".join(_CODES)

_UNITS: dict[str, tuple[str, str]] = {
    "mm": ("millimeter", "millimeters"),
    "cm": ("centimeter", "centimeters"),
    "m": ("meter", "meters"),
    "km": ("kilometer", "kilometers"),
    "ft": ("foot", "feet"),
    "yd": ("yard", "yards"),
    "mi": ("mile", "miles"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "kg": ("kilogram", "kilograms"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"),
    "mL": ("milliliter", "milliliters"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "mph": ("mile per hour", "miles per hour"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "KB": ("kilobyte", "kilobytes"),
    "kB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "V": ("volt", "volts"),
    "mAh": ("milliamp hour", "milliamp hours"),
    "kcal": ("kilocalorie", "kilocalories"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "℃": ("degree Celsius", "degrees Celsius"),
    "℉": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "m²": ("square meter", "square meters"),
    "km²": ("square kilometer", "square kilometers"),
    "sq ft": ("square foot", "square feet"),
    "m³": ("cubic meter", "cubic meters"),
    "dB": ("decibel", "decibels"),
    "px": ("pixel", "pixels"),
}
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))

_FRACTIONS = {
    2: ("half", "halves"),
    3: ("third", "thirds"),
    4: ("quarter", "quarters"),
    5: ("fifth", "fifths"),
    6: ("sixth", "sixths"),
    8: ("eighth", "eighths"),
    10: ("tenth", "tenths"),
}
_SIGNS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅛": "1/8"}
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_OPERATORS = {"+": "plus", "-": "minus", "−": "minus", "×": "times", "÷": "divided by", "=": "equals",
              "<": "is less than", ">": "is greater than", "≤": "is at most", "≥": "is at least",
              "≈": "is about", "±": "plus or minus"}  # fmt: skip


def _money(match: re.Match[str]) -> str:
    sign, symbol, amount, word, letter = match.group(1, 2, 3, 4, 5)
    return ("minus " if sign else "") + _amount(
        symbol, amount, word or _SCALES.get((letter or "").lower(), "")
    )


def _amount(symbol: str, amount: str, scale: str) -> str:
    one, many, hundredth, hundredths = _CURRENCIES[symbol]
    if scale:
        return f"{number(amount)} {scale} {many}"
    whole, _, decimals = amount.replace(",", "").partition(".")
    if not decimals or not hundredth or len(decimals) > 2:
        return f"{number(amount)} {one if amount == '1' else many}"
    units, cents = int(whole), int(decimals.ljust(2, "0"))
    if cents == 0:
        return f"{cardinal(units)} {one if units == 1 else many}"
    if units == 0:
        return f"{cardinal(cents)} {hundredth if cents == 1 else hundredths}"
    rest = cardinal(cents) if cents > 9 else f"oh {cardinal(cents)}"
    return f"{cardinal(units)} {one if units == 1 else many} {rest}"


def _quantity(match: re.Match[str]) -> str:
    sign, amount, unit = match.group(1, 2, 3)
    one, many = _UNITS[unit]
    return f"{'minus ' if sign else ''}{number(amount)} {one if amount == '1' else many}"


def _fraction(match: re.Match[str]) -> str:
    whole, top, bottom = match.group(1), int(match.group(2)), int(match.group(3))
    if bottom not in _FRACTIONS or top >= bottom:
        return f"{whole + ' ' if whole else ''}{cardinal(top)} out of {cardinal(bottom)}"
    one, many = _FRACTIONS[bottom]
    said = f"{'a' if whole and top == 1 else cardinal(top)} {one if top == 1 else many}"
    return f"{number(whole)} and {said}" if whole else said


def _decade(match: re.Match[str]) -> str:
    value = int(match.group(1))
    if value < 100:
        return plural(cardinal(value))
    return plural(year(value))


def roman(numeral: str) -> int:
    """VIII to 8."""
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    return sum(-v if any(v < later for later in values[i + 1 : i + 2]) else v for i, v in enumerate(values))


def _after_noun(match: re.Match[str]) -> str:
    noun, numeral = match.group(1, 2)
    return f"{noun} {cardinal(roman(numeral))}" if _ROMAN.fullmatch(numeral) else match.group()


def _after_name(match: re.Match[str]) -> str:
    name, numeral = match.group(1, 2)
    return f"{name} the {ordinal(roman(numeral))}" if _ROMAN.fullmatch(numeral) else match.group()


def _version(match: re.Match[str]) -> str:
    named, parts = match.group(1), match.group(2).split(".")
    said = " point ".join(cardinal(int(part)) for part in parts)
    if not named:
        return said
    return f"{named.strip() if named.lower().startswith('version') else 'version'} {said}"


def _long_number(match: re.Match[str]) -> str:
    return digits(match.group())


RULES: tuple[Rule, ...] = (
    (
        re.compile("[" + "".join(_SIGNS) + "]"),
        lambda m: (" " if m.string[m.start() - 1 : m.start()].isdigit() else "") + _SIGNS[m.group()],
    ),
    (re.compile(r"(?<![\w'’])['’]?(\d0)s\b"), _decade),
    (re.compile(r"\b(1[1-9]\d0|20\d0)s\b"), _decade),
    (re.compile(rf"(?<=\d)\s?[-–—]\s?(?={_SYMBOL})"), lambda _: " to "),
    (re.compile(rf"({_MINUS})?({_SYMBOL})\s?({NUM}){_SCALE}"), _money),
    (
        re.compile(rf"(?<![\w.,])({NUM})\s?({_SYMBOL}|(?:{_CODE})\b)"),
        lambda m: _amount(_CODES.get(m.group(2), m.group(2)), m.group(1), ""),
    ),
    (re.compile(rf"\b({_CODE})\s?({NUM})"), lambda m: _amount(_CODES[m.group(1)], m.group(2), "")),
    (
        re.compile(
            r"\b(World War|War|Part|Chapter|Volume|Phase|Type|Act|Book|Section|Super Bowl|Level|Stage|Title)"
            r" ([IVXLC]+)\b"
        ),
        _after_noun,
    ),
    (
        re.compile(
            r"\b(Henry|Louis|Charles|Elizabeth|George|Edward|William|James|Richard|Philip|Pius|Benedict|Napoleon|"
            r"Nicholas|Catherine|John Paul|Francis|Leo|Alexander) ([IVX]+)\b"
        ),
        _after_name,
    ),
    (re.compile(rf"{_START}(v(?:er(?:sion)?)?\.? ?)?(\d+(?:\.\d+){{2,}})(?![\w%])", re.IGNORECASE), _version),
    (re.compile(r"\bv(\d+(?:\.\d+)?)\b"), lambda m: f"version {number(m.group(1))}"),
    (
        re.compile(r"(?<![\w.])(\d{1,2})['’′]\s?(\d{1,2})(?:[\"”″]|'')"),
        lambda m: f"{number(m.group(1))} foot {number(m.group(2))}",
    ),
    (
        re.compile(rf"({NUM})\s?%?\s?[-–—]\s?({NUM})(?=\s?(?:%|{_UNIT}\b))"),
        lambda m: f"{number(m.group(1))} to {m.group(2)}",
    ),
    (
        re.compile(rf"{_START}({_MINUS})?({NUM})\s?%"),
        lambda m: f"{'minus ' if m.group(1) else ''}{number(m.group(2))} percent",
    ),
    (re.compile(rf"(?<![\w.,])({_MINUS})?({NUM})[\s-]?({_UNIT})(?![\w²³/])"), _quantity),
    (re.compile(r"\b24/7\b"), lambda _: "twenty-four seven"),
    (re.compile(r"(?<![\w/.,])(?:(\d+) )?(\d{1,2})/(\d{1,3})(?![\w/]|[.,]\d)"), _fraction),
    (
        re.compile(rf"{_START}({NUM})/({NUM})(?![\w/])"),
        lambda m: f"{number(m.group(1))} out of {number(m.group(2))}",
    ),
    (
        re.compile(r"\b((?:\d{1,3}(?:,\d{3})+|\d+))(?:st|nd|rd|th)\b", re.IGNORECASE),
        lambda m: ordinal(int(m.group(1).replace(",", ""))),
    ),
    (re.compile(r"#\s?(\d+)\b"), lambda m: f"number {m.group(1)}"),
    (re.compile(r"\b[Nn]os?\. ?(\d+)\b"), lambda m: f"number {m.group(1)}"),
    (re.compile(rf"({NUM})\s?[x×](?![\w])"), lambda m: f"{number(m.group(1))} times"),
    (
        re.compile(rf"(?<=[\d)])\s*([+−×÷=<>≤≥≈±]|(?<=\s)-(?=\s))\s*(?={_SYMBOL}|[(\d])"),
        lambda m: f" {_OPERATORS[m.group(1)]} ",
    ),
    (re.compile(rf"(?<![\w-])({NUM})\s?[-–—]\s?({NUM})(?![\w-])"), lambda m: f"{m.group(1)} to {m.group(2)}"),
    (re.compile(r"\b(\d{1,3}):(\d{1,3})\b"), lambda m: f"{m.group(1)} to {m.group(2)}"),
    (re.compile(r"~\s?(?=\d)"), lambda _: "about "),
    (re.compile(rf"{_MINUS}(?=\d)"), lambda _: "minus "),
    (re.compile(r"\+(?=\d)"), lambda _: "plus "),
    (
        re.compile(
            r"\b(in|since|of|by|until|from|year|around|before|after|late|early) (1[0-9]\d\d)\b(?![,.]\d)",
            re.IGNORECASE,
        ),
        lambda m: f"{m.group(1)} {year(int(m.group(2)))}",
    ),
    (re.compile(r"(?<![\w.,])(19\d\d|20\d\d)(?![\w]|[,.]\d)"), lambda m: year(int(m.group()))),
    (re.compile(r"(?<![\w.,])(?:\d{8,}|0\d+)(?![\w]|[,.]\d)"), _long_number),
    (re.compile(r"(?<=[A-Za-z])-(?=\d)"), lambda _: " "),
    (re.compile(rf"(?<=[A-Za-z])(?={NUM})|(?<=\d)(?=[A-Za-z])"), lambda _: " "),
    (re.compile(NUM), lambda m: number(m.group())),
)


def say_quantities(text: str) -> str:
    """Put every number of an English text into words."""
    for pattern, said in RULES:
        text = pattern.sub(said, text)
    return text
