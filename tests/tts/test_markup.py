"""What is written for the eye is not read out."""

import pytest

from dialtone.tts.text import strip_markup

CASES = [
    ("**Bold** and *it* and __under__ and ~~gone~~", "Bold and it and under and gone"),
    ("**half a pair that a sentence cut off", "half a pair that a sentence cut off"),
    ("Use `pip install` now", "Use pip install now"),
    ("# Heading\n\nText here.", "Heading. Text here."),
    ("- one\n- two\n- [x] three", "one. two. three"),
    ("> quoted words", "quoted words"),
    ("See [the docs](https://x.com/a_(b)) now", "See the docs now"),
    ("![a cat](cat.png) sits", "a cat sits"),
    ("As known[1], it is so[^2].", "As known, it is so."),
    ("```python\nprint(1)\n```", "print(1)"),
    ("| a | b |\n|---|---|", "a, b"),
    ("above\n---\nbelow", "above. below"),
    ("snake_case and __init__", "snake_case and init"),
    ("2 * 3 and 2*3", "2 × 3 and 2×3"),
    ("Hi 😀👍🏽 there ❤️!", "Hi there!"),
    ("👨‍👩‍👧 🇫🇷 family", "family"),
    ("Press 1️⃣ now :-)", "Press 1 now"),
    ("<speak>Hello <b>big</b> world</speak>", "Hello big world"),
    ("one<br/>two", "one. two"),
    ("AT&amp;T &lt;3", "AT&T"),
    ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
    ("zero\u200bwidth and\u00a0hard", "zerowidth and hard"),
    ("line\ttab\x07bell", "line tabbell"),
    ("**重点**：你好😀！", "重点：你好！"),
    ("", ""),
    ("😀👍", ""),
]


@pytest.mark.parametrize(("written", "plain"), CASES)
def test_markup_is_removed(written: str, plain: str) -> None:
    assert strip_markup(written) == plain


def test_hostile_markup_takes_no_time() -> None:
    for written in ("[" * 4000, "<" * 4000, "*" * 4000, "`" * 4001, "(" * 4000, "<a " * 2000, "|-" * 2000):
        strip_markup(written)
