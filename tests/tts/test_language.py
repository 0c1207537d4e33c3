"""The script tells the language where it can."""

import pytest

from dialtone.tts.text.language import language_of, split_by_script


@pytest.mark.parametrize(
    ("text", "stated", "language"),
    [
        ("Hello there", "", "en"),
        ("Bonjour à tous", "fr", "fr"),
        ("Hello", "en-US", "en"),
        ("你好", "", "zh"),
        ("你好", "en", "zh"),
        ("你好", "zh-CN", "zh"),
        ("我用iPhone打电话", "", "zh"),
        ("The word 北京 means northern capital", "", "en"),
        ("Hello there", "zh", "en"),
        ("こんにちは、世界", "", "ja"),
        ("안녕하세요", "", "ko"),
        ("Привет", "", "ru"),
        ("Привіт", "uk", "uk"),
        ("42", "", "en"),
        ("42", "zh", "zh"),
    ],
)
def test_language(text: str, stated: str, language: str) -> None:
    assert language_of(text, stated) == language


def test_stretches_in_another_script_are_cut_out() -> None:
    assert split_by_script("I love 北京、上海 and Москва.", "en") == [
        ("en", "I love "),
        ("zh", "北京、上海"),
        ("en", " and "),
        ("ru", "Москва"),
    ]
