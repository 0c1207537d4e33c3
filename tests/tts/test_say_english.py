"""English as it is read out."""

import time

import pytest

from dialtone.tts.text import say

MONEY = [
    ("It costs $3.50.", "It costs three dollars fifty."),
    ("$1 or $1.00", "one dollar or one dollar"),
    ("$0.05 and 50¢", "five cents and fifty cents"),
    ("$1,234.56 and €20", "one thousand two hundred thirty-four dollars fifty-six and twenty euros"),
    ("$2.05", "two dollars oh five"),
    ("a $5 million deal, $20k down", "a five million dollars deal, twenty thousand dollars down"),
    ("£3.99 or 500 JPY", "three pounds ninety-nine or five hundred yen"),
    ("$3.50-$5", "three dollars fifty to five dollars"),
]  # fmt: skip
NUMBERS = [
    ("1234 pears", "one thousand two hundred thirty-four pears"),
    ("1,000,000 people", "one million people"),
    ("Pi is 3.14.", "Pi is three point one four."),
    ("the 21st of May, 2nd place", "the twenty-first of May, second place"),
    ("5% or 2.5 %", "five percent or two point five percent"),
    ("-5 degrees", "minus five degrees"),
    ("5-10 people", "five to ten people"),
    ("1/2 cup, 3/4, 1½ cups", "one half cup, three quarters, one and a half cups"),
    ("rated 4.5/5", "rated four point five out of five"),
    ("version 2.0.1 and v3.1", "version two point zero point one and version three point one"),
    ("Room #12, No. 5", "Room number twelve, number five"),
    ("10x faster, 2×3=6", "ten times faster, two times three equals six"),
    ("agent 007", "agent zero zero seven"),
    ("order 123456789", "order one two three four five six seven eight nine"),
    ("World War II and Henry VIII", "World War two and Henry the eighth"),
    ("The ratio is 3:2.", "The ratio is three to two."),
    ("a 5-year-old", "a five-year-old"),
    ("open 24/7", "open twenty-four seven"),
    ("10%-20%, 10 % – 20 %", "ten to twenty percent, ten to twenty percent"),
    ("a 1.5x gain of 7,500,000,000", "a one point five times gain of seven billion five hundred million"),
    ("Flight BA2490 at gate B12", "Flight B A two thousand four hundred ninety at gate B twelve"),
    ("The score was 3-2.", "The score was three to two."),
]
TIMES = [
    ("Meet at 3:30 pm.", "Meet at three thirty P M."),
    ("at 3:30 p.m.", "at three thirty P M."),
    ("at 3 p.m. tomorrow", "at three P M tomorrow"),
    ("at 15:45", "at fifteen forty-five"),
    ("at 10:05 and 9:00", "at ten oh five and nine o'clock"),
    ("9 am-5 pm", "nine A M to five P M"),
    ("On 2024-05-03 we met.", "On May third, twenty twenty-four we met."),
    ("5/3/2024 or 25/12/23", "May third, twenty twenty-four or December twenty-fifth, twenty twenty-three"),
    ("May 3, 2024", "May third, twenty twenty-four"),
    ("Jan. 5 and 3 March 2021", "January fifth and third of March twenty twenty-one"),
    ("in 1999, 2005 and 2000", "in nineteen ninety-nine, two thousand five and two thousand"),
    ("in 1805", "in eighteen oh five"),
    ("the 1990s and the '80s", "the nineteen nineties and the eighties"),
]  # fmt: skip
UNITS = [
    ("5 kg, 1 km and 60 mph", "five kilograms, one kilometer and sixty miles per hour"),
    ("25°C or 77 °F", "twenty-five degrees Celsius or seventy-seven degrees Fahrenheit"),
    ("16GB at 2.5GHz", "sixteen gigabytes at two point five gigahertz"),
    ("10-20 km", "ten to twenty kilometers"),
    ("He is 6 ft tall.", "He is six feet tall."),
    ("5'11\" tall, or 7’2”", "five foot eleven tall, or seven foot two"),
    ("in 2h 30min, or 9.58s", "in two hours thirty minutes, or nine point five eight seconds"),
    ("€1.5M for 180 lbs", "one point five million euros for one hundred eighty pounds"),
]
PHONES = [
    ("Call 555-123-4567 now.", "Call five five five, one two three, four five six seven now."),
    ("+1 (415) 555-0132", "plus one, four one five, five five five, zero one three two"),
    ("call 911", "call nine one one"),
]
WORDS = [
    ("Dr. Smith and Mrs. Brown vs. Mr. Jones", "Doctor Smith and Missus Brown versus Mister Jones"),
    (
        "fruits, e.g. apples, i.e. red ones, etc.",
        "fruits, for example, apples, that is, red ones, et cetera.",
    ),
    ("St. John lives at 9 Main St.", "Saint John lives at nine Main Street."),
    ("NASA and the FBI use HTML.", "Nasa and the F B I use H T M L."),
    ("the U.S. and the CEO's PDFs", "the U S and the C E O's P D F's"),
    ("I said NO, not YES.", "I said no, not yes."),
    ("STOP DOING THAT RIGHT NOW", "stop doing that right now"),
    ("rock & roll, and/or jazz", "rock and roll, and slash or jazz"),
    ("C++ and C#", "C plus plus and C sharp"),
    ("MP3, H2O and GPT-4", "M P three, H two O and G P T four"),
]
ADDRESSES = [
    ("Visit https://www.example.com/path today.", "Visit example dot com slash path today."),
    ("https://example.com/a/very/long/path/to/nowhere?q=1#x is down", "example dot com is down"),
    ("Mail bob.lee@example.co.uk.", "Mail bob dot lee at example dot co dot uk."),
    ("on openai.com, or http://localhost:8000", "on openai dot com, or localhost"),
]
PUNCTUATION = [
    ('He said "no" (really).', "He said no, really."),
    ("well — yes… what?!", "well, yes... what?"),
    ("it's John's, don't", "it's John's, don't"),
    ("left [[h@loU]] over {x}", "left, h at loU, over, x"),
    ("a\\b ^ ~ _ # |", "a b"),
]
CASES = MONEY + NUMBERS + TIMES + UNITS + PHONES + WORDS + ADDRESSES + PUNCTUATION


@pytest.mark.parametrize(("written", "spoken"), CASES)
def test_english_is_read_out(written: str, spoken: str) -> None:
    assert say(written, "en") == spoken


@pytest.mark.parametrize("text", ["Hello there, how are you?", "I can't: it is late; sorry!", "No."])
def test_plain_sentences_stay_as_they_are(text: str) -> None:
    assert say(text, "en") == text


def test_no_digits_are_left() -> None:
    for written, _ in CASES:
        assert not any(character.isdigit() for character in say(written, "en"))


@pytest.mark.parametrize(
    "written", ["1" * 2000, "1," * 1000, "1.2" * 700, "$" * 2000, "a.b" * 700, "-1" * 1000]
)
def test_hostile_numbers_take_no_time(written: str) -> None:
    began = time.process_time()
    say(written, "en")
    assert time.process_time() - began < 2
