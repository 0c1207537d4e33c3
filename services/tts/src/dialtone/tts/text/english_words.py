"""Abbreviations, acronyms and symbols in English."""

from __future__ import annotations

import re

_ABBREVIATIONS: tuple[tuple[str, str], ...] = (
    (r"Dr\.(?= [A-Z])", "Doctor"),
    (r"Mr\.", "Mister"),
    (r"Mrs\.", "Missus"),
    (r"Ms\.", "Miz"),
    (r"Prof\.", "Professor"),
    (r"Rev\.", "Reverend"),
    (r"Gen\.(?= [A-Z])", "General"),
    (r"Sen\.(?= [A-Z])", "Senator"),
    (r"Rep\.(?= [A-Z])", "Representative"),
    (r"Gov\.(?= [A-Z])", "Governor"),
    (r"Capt\.(?= [A-Z])", "Captain"),
    (r"Lt\.(?= [A-Z])", "Lieutenant"),
    (r"Sgt\.(?= [A-Z])", "Sergeant"),
    (r"Jr\.", "Junior"),
    (r"Sr\.", "Senior"),
    (r"Ave\.", "Avenue"),
    (r"Blvd\.?", "Boulevard"),
    (r"Rd\.", "Road"),
    (r"Hwy\.?", "Highway"),
    (r"Mt\.(?= [A-Z])", "Mount"),
    (r"Ft\.(?= [A-Z])", "Fort"),
    (r"Inc\.", "Incorporated"),
    (r"Ltd\.", "Limited"),
    (r"Corp\.", "Corporation"),
    (r"Co\.(?=$|[ ,])", "Company"),
    (r"Dept\.", "Department"),
    (r"[Ee]\.g\.,?", "for example,"),
    (r"[Ii]\.e\.,?", "that is,"),
    (r"[Ee]tc\.(?=\s*$)", "et cetera."),
    (r"[Ee]tc\.?", "et cetera"),
    (r"[Vv]s\.?", "versus"),
    (r"[Aa]pprox\.", "approximately"),
    (r"[Ee]st\.(?= \w)", "established"),
    (r"[Mm]in\.", "minimum"),
    (r"[Mm]ax\.", "maximum"),
    (r"[Aa]vg\.?", "average"),
    (r"[Tt]el\.", "telephone"),
    (r"[Ee]xt\.(?= ?\w)", "extension"),
    (r"[Ff]ig\.", "figure"),
    (r"[Vv]ol\.(?= ?\w)", "volume"),
    (r"[Pp]p\.(?= ?\d)", "pages"),
    (r"[Dd]ept\.", "department"),
    (r"[Aa]ppt\.", "appointment"),
    (r"[Mm]isc\.", "miscellaneous"),
    (r"c/o", "care of"),
    (r"w/o", "without"),
    (r"w/(?=\s|\w)", "with "),
    (r"a\.k\.a\.|aka", "also known as"),
    (r"OK", "okay"),
    (r"Mon\.", "Monday"),
    (r"Tues?\.", "Tuesday"),
    (r"Wed\.(?= )", "Wednesday"),
    (r"Thurs?\.", "Thursday"),
    (r"Fri\.", "Friday"),
    (r"Sat\.(?= [A-Z\d])", "Saturday"),
    (r"P\.?S\.", "P S"),
    (r"Jan\.", "January"),
    (r"Feb\.", "February"),
    (r"Aug\.", "August"),
    (r"Sept?\.", "September"),
    (r"Oct\.", "October"),
    (r"Nov\.", "November"),
    (r"Dec\.", "December"),
)
_ABBREVIATION_RULES = tuple((re.compile(rf"(?<![\w.]){short}(?!\w)"), full) for short, full in _ABBREVIATIONS)
_SAINT = re.compile(r"\bSt\. (?=[A-Z][a-z])(?<!\d St\. )")
_STREET = re.compile(r"(?<=[a-z]) St\b(?:\.(?!\s*$))?(?!\w)")

# Said as words though they have few letters; everything else in capitals is spelled.
_SAID_AS_WORDS = """
NASA NATO UNESCO UNICEF OPEC ASAP AIDS LASER RADAR SCUBA RAM ROM PIN SIM LAN WAN GIF JPEG JSON YAML
CAPTCHA COVID FIFA IKEA ZIP VAT WIFI
"""
_WORDS_IN_CAPITALS = frozenset(_SAID_AS_WORDS.split())
# Short words that are put in capitals for emphasis.
_EMPHASISED = """
A I AM AN AND ANY ARE AS AT BE BUT BY CAN DAY DID DO FOR FUN GET GO GOT HAD HAS HE HER HEY HI HIM HIS HOW
IF IN IS ITS LET ME MY NEW NO NOT NOW OF OFF OH OLD ON ONE OR OUR OUT OWN RUN SEE SET SHE SO THE TO TOO
TRY TWO UP USE WAS WAY WE WHO WHY YES YET YOU ALL BIG BAD END BOY WIN WOW HUH MAY MUST STOP NEVER MUCH
MORE ONLY VERY
"""
_SHOUTED = frozenset(_EMPHASISED.split())
_CAPITALS = re.compile(r"\b([A-Z]{2,})(s|'s|’s)?\b")
_DOTTED = re.compile(r"\b((?:[A-Z]\.){2,})(?=(\s*$)?)")
_MIXED = re.compile(r"\b([A-Z]{1,5})(\d{1,4})\b")
_VOWEL = re.compile(r"[AEIOUY]")

_SYMBOLS: tuple[tuple[str, str], ...] = (
    (r"\s*&\s*", " and "),
    (r"(?<=\w)\s*@\s*(?=\w)", " at "),
    (r"\s*[=]\s*", " equals "),
    (r"(?<=\w)\+\+", " plus plus"),
    (r"(?<=\w)#(?!\w)", " sharp"),
    (r"#(?=[A-Za-z])", "hashtag "),
    (r"(?<=\w)\s?%", " percent"),
    (r"(?<=[a-z])/(?=[a-z])", " slash "),
    (r"(?<=\w)\s*\+\s*(?=\w)", " plus "),
    (r"§\s?", "section "),
    (r"°", " degrees"),
    (r"×", " times "),
    (r"\s?¢", " cents"),
    (r"€", " euros"),
    (r"£", " pounds"),
    (r"\$", " dollars"),
)
_SYMBOL_RULES = tuple((re.compile(symbol), said) for symbol, said in _SYMBOLS)


def expand_abbreviations(text: str) -> str:
    """`Dr. Smith, e.g.` to `Doctor Smith, for example,`."""
    text = _STREET.sub(" Street", _SAINT.sub("Saint ", text))
    for pattern, full in _ABBREVIATION_RULES:
        text = pattern.sub(full, text)
    return text


def spell_acronyms(text: str) -> str:
    """`the FBI` to `the F B I`; words that are shouted, and acronyms said as words, stay words."""
    text = _DOTTED.sub(lambda match: _undotted(match), text)
    capitals = _CAPITALS.findall(text)
    letters = sum(character.isalpha() for character in text)
    shouting = len(capitals) > 2 and sum(len(word) for word, _ in capitals) > 0.6 * letters
    if shouting:
        return text.lower()
    text = _MIXED.sub(lambda match: f"{match.group(1)} {match.group(2)}", text)
    return _CAPITALS.sub(_spelled, text)


def say_symbols(text: str) -> str:
    """Put the symbols that mean a word into words."""
    for pattern, said in _SYMBOL_RULES:
        text = pattern.sub(said, text)
    return text


def _undotted(match: re.Match[str]) -> str:
    ends = not match.string[match.end() :].strip()
    return match.group(1).replace(".", " ").strip() + ("." if ends else "")


def _spelled(match: re.Match[str]) -> str:
    word, ending = match.group(1), match.group(2) or ""
    if word in _WORDS_IN_CAPITALS:
        return word.capitalize() + ending
    if word in _SHOUTED or (len(word) > 4 and _VOWEL.search(word)):
        return word.lower() + ending
    return " ".join(word) + (f"'{ending[-1]}" if ending else "")
