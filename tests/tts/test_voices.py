"""Who speaks what."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from dialtone.tts.engines.simulated import SimulatedEngine
from dialtone.tts.settings import TtsSettings
from dialtone.tts.voices import Voice, VoiceRegistry, VoiceSpec

JOE = Voice("joe", "en", SimulatedEngine())
ANN = Voice("ann", "en", SimulatedEngine())
LEA = Voice("lea", "fr", SimulatedEngine())
MEI = Voice("espeak-ng", "zh", SimulatedEngine(), fallback=True, any_script=True)
REGISTRY = VoiceRegistry({"joe": JOE, "ann": ANN, "lea": LEA}, {"zh": MEI})


def cast(text: str, **wanted: str) -> list[tuple[str, str]]:
    return [(part.voice.name, part.text.strip()) for part in REGISTRY.cast(text, **wanted).parts]


@pytest.mark.parametrize(
    ("name", "language", "spoken_by"),
    [
        ("", "", "joe"),
        ("ann", "", "ann"),
        ("alloy", "", "joe"),
        ("marin", "en-GB", "joe"),
        ("", "fr", "lea"),
        ("joe", "fr", "lea"),
        ("lea", "", "lea"),
        ("nobody", "", "joe"),
    ],
)
def test_the_voice_of_a_latin_text(name: str, language: str, spoken_by: str) -> None:
    assert cast("Bon", name=name, language=language) == [(spoken_by, "Bon")]


def test_a_voice_that_is_not_there_is_said_to_be_missing() -> None:
    told = "tts: no voice is called 'nobody', joe speaks (voice)"
    assert REGISTRY.cast("Hello", name="nobody").notice == told
    assert REGISTRY.cast("Hello", name="alloy").notice == ""


def test_the_voices_that_may_be_named_are_told_the_first_of_each_language_as_its_default() -> None:
    told = [(offer.name, offer.language, offer.is_default) for offer in REGISTRY.offers]
    assert told == [("joe", "en", True), ("ann", "en", False), ("lea", "fr", True)]


def test_chinese_goes_to_the_fallback_and_it_says_so() -> None:
    casting = REGISTRY.cast("你好", name="joe", language="en")
    assert [part.voice for part in casting.parts] == [MEI]
    assert casting.notice == "fallback voice espeak-ng speaks zh"


def test_chinese_with_latin_words_is_spoken_by_one_voice() -> None:
    assert cast("我用iPhone打电话") == [("espeak-ng", "我用iPhone打电话")]


def test_latin_words_are_not_left_to_a_voice_that_takes_them_for_pinyin() -> None:
    robot = Voice("espeak-ng", "zh", SimulatedEngine(), fallback=True, any_script=True, latin=False)
    casting = VoiceRegistry({"joe": JOE}, {"zh": robot}).cast("我用iPhone 15打电话，听 Rock & Roll。3月5日见")
    assert [(part.voice.name, part.text.strip()) for part in casting.parts] == [
        ("espeak-ng", "我用"),
        ("joe", "iPhone 15"),
        ("espeak-ng", "打电话，听"),
        ("joe", "Rock & Roll"),
        ("espeak-ng", "。3月5日见"),
    ]


def test_english_with_chinese_words_is_shared_out() -> None:
    assert cast("I love 北京 very much.") == [
        ("joe", "I love"),
        ("espeak-ng", "北京"),
        ("joe", "very much."),
    ]


def test_a_stretch_that_nobody_speaks_is_left_out_and_named() -> None:
    casting = REGISTRY.cast("My friend Москва is here today.")
    assert [part.text.strip() for part in casting.parts] == ["My friend", "is here today."]
    assert casting.unspoken == ("ru",)
    assert casting.notice == "no voice speaks ru"


def test_no_parts_where_nobody_speaks_it() -> None:
    assert REGISTRY.cast("Привет").parts == ()
    assert REGISTRY.cast("Hallo", language="de").unspoken == ("de",)


def test_voices_are_configured_as_json_or_toml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    voice = {"model": "/voices/amy.onnx", "language": "en", "gain": 1.2}
    monkeypatch.setenv("TTS_VOICES", json.dumps({"amy": voice}))
    from_json = TtsSettings().tts_voices
    toml = tmp_path / "voices.toml"
    toml.write_text('[amy]\nmodel = "/voices/amy.onnx"\nlanguage = "en"\ngain = 1.2\n')
    monkeypatch.setenv("TTS_VOICES", str(toml))
    assert TtsSettings().tts_voices == from_json
    amy = from_json["amy"]
    assert isinstance(amy, VoiceSpec)
    assert amy.model == "/voices/amy.onnx"
    assert list(from_json) == ["amy"]


def test_a_voice_with_a_wrong_field_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_VOICES", '{"amy": {"model": "x", "langage": "en"}}')
    with pytest.raises(ValidationError, match="langage"):
        TtsSettings()
