"""Partial transcripts that are never taken back: the words that two in a row agree on."""

import pytest

from dialtone.gateway.core.partial_words import AgreedWords
from dialtone.gateway.core.words import count_words, split_words

# Partials, what is told after each, the final transcript, what is told at last.
CASES: dict[str, tuple[list[str], list[str], str, str]] = {
    "nothing is told of what was said once": (["Hello there"], [""], "Hello there.", "Hello there."),
    "words that stay are told when they are said again": (
        ["Hello", "Hello there how", "Hello there how are you"],
        ["", "Hello", " there how"],
        "Hello there how are you today?",
        " are you today?",
    ),
    "a word that grows is not told before it is whole": (
        ["I like app", "I like apple", "I like apple pie"],
        ["", "I like", " apple"],
        "I like apple pie.",
        " pie.",
    ),
    "the full stop of every partial waits for a word behind it": (
        ["Hello there.", "Hello there.", "Hello there, how"],
        ["", "Hello there", ""],
        "Hello there, how are you?",
        ", how are you?",
    ),
    "a mark inside is told with the word behind it": (
        ["Well, yes", "Well, yes I", "Well, yes I do"],
        ["", "Well, yes", " I"],
        "Well, yes I do.",
        " do.",
    ),
    "numbers are not cut at their point": (
        ["It costs 3.", "It costs 3.5", "It costs 3.50 dollars"],
        ["", "It costs", ""],
        "It costs 3.50 dollars.",
        " 3.50 dollars.",
    ),
    "what was told is not taken back, and nothing is added to what it became": (
        ["I scream for", "I scream for", "Ice cream for", "Ice cream for you"],
        ["", "I scream for", "", ""],
        "Ice cream for you.",
        "",
    ),
    "a word that becomes another does not silence those that follow": (
        [
            "He was not an ill-sposed young man",
            "He was not an ill-sposed young man,",
            "He was not an ill-disposed young man, unless",
            "He was not an ill-disposed young man, unless to be",
        ],
        ["", "He was not an ill-sposed young man", "", ", unless"],
        "He was not an ill-disposed young man, unless to be rather cold.",
        " to be rather cold.",
    ),
    "two words that become one do neither": (
        [
            "I want to go now here is",
            "I want to go now here is",
            "I want to go nowhere. Here is what",
            "I want to go nowhere. Here is what I",
        ],
        ["", "I want to go now here is", "", " what"],
        "I want to go nowhere. Here is what I said.",
        " I said.",
    ),
    "the same words elsewhere are not the place": (
        [
            "it was the best",
            "it was the best",
            "a b c d e f g h i j k l it was the best",
            "a b c d e f g h i j k l it was the best of times",
        ],
        ["", "it was the best", "", ""],
        "a b c d e f g h i j k l it was the best of times",
        "",
    ),
    "a partial that says less tells nothing": (
        ["one two", "one two three", "one", "one two three four", "one two three four"],
        ["", "one two", "", "", " three four"],
        "one two three four",
        "",
    ),
    "a final without words adds none": (["Yes", "Yes"], ["", "Yes"], "", ""),
    "Chinese is told by characters": (
        ["今天", "今天天气", "今天天气怎么样。", "今天天气怎么样呢"],
        ["", "今天", "天气", "怎么样"],
        "今天天气怎么样呢？",
        "呢？",
    ),
    "Chinese with English in it": (
        ["我用Pyth", "我用Python写", "我用Python写代码。"],
        ["", "我用", "Python写"],
        "我用Python写代码。",
        "代码。",
    ),
    "a mark of Chinese waits for a character behind it": (
        ["你好，", "你好，", "你好，我"],
        ["", "你好", ""],
        "你好，我是小明。",
        "，我是小明。",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_only_what_stays_is_told(case: str) -> None:
    partials, told, final, rest = CASES[case]
    words = AgreedWords()
    assert [words.partial(text) for text in partials] == told
    assert words.rest(final) == rest
    if final.startswith("".join(told)):
        assert "".join(told) + rest == final


@pytest.mark.parametrize(
    "text", ["Hello there, how are you?", "我用Python写代码。 Yes — “well”…", "", "...", " 嗯 "]
)
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(split_words(text)) == text.rstrip()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("...", 0),
        ("Mm.", 1),
        ("uh-huh", 1),
        ("Stop it, now!", 3),
        ("It's 3.5 %", 2),
        ("嗯", 1),
        ("好的。", 1),
        ("等一下！", 2),
        ("我不想听这个。", 3),
        ("打开Wi-Fi", 2),
        ("안녕 하세요", 2),
    ],
)
def test_words_are_counted_in_scripts_with_spaces_and_without(text: str, words: int) -> None:
    assert count_words(text) == words
