"""The recogniser itself, on the default model."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dialtone.v1.ears_pb2 import CommitInput, Transcript
from dialtone.vad_asr.asr.recognition import Passage
from dialtone.vad_asr.asr.whisper import ShortWindowWhisper
from dialtone.vad_asr.service import Ears
from tests.fixtures.speech import find_recordings, recording, silence, white_noise
from tests.vad_asr.ears_call import EarsCall, manual, server_vad

pytestmark = pytest.mark.models

WORDS = {
    "en_weather_question": "weather in paris",
    "en_hello_world": "hello world",
    "en_ae_quick_brown_fox": "quick brown fox",
    "zh_ae_nihao_shijie": "世界",
    "zh_wenet_mid": "大学生利用漏洞",
}
VOICED = 1_000_000


def passage(name: str, language: str = "") -> Passage:
    return Passage(recording(name).samples(), language, voiced_us=VOICED)


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("given", [True, False], ids=["given", "detected"])
def test_english_and_chinese_are_understood(whisper: ShortWindowWhisper, name: str, given: bool) -> None:
    language = name[:2]
    (answer,) = whisper.recognize([passage(name, language if given else "")])
    assert WORDS[name] in answer.text.lower()
    assert answer.language == language


@pytest.mark.parametrize("part", [1.0, 0.6], ids=["whole", "cut"])
def test_the_language_is_detected_of_every_recording(whisper: ShortWindowWhisper, part: float) -> None:
    wrong = []
    for found in find_recordings("speech"):
        samples = found.samples()
        (answer,) = whisper.recognize([Passage(samples[: int(len(samples) * part)], voiced_us=VOICED)])
        if answer.language != found.language:
            wrong.append(found.id)
    assert not wrong


def test_a_batch_with_a_language_that_is_hard_to_tell(whisper: ShortWindowWhisper) -> None:
    samples = recording("en_goforward").samples()
    unsure = Passage(samples[: int(len(samples) * 0.6)], voiced_us=VOICED)
    answers = whisper.recognize([passage("zh_ae_nihao_shijie"), unsure, passage("en_hello_world", "en")])
    assert [answer.language for answer in answers] == ["zh", "en", "en"]


@pytest.mark.parametrize("language", ["zh-CN", "zh_CN", "cmn"])
def test_a_regional_language_is_its_language(whisper: ShortWindowWhisper, language: str) -> None:
    (answer,) = whisper.recognize([passage("zh_ae_nihao_shijie", language)])
    assert answer.language == "zh"


def test_a_prompt_sets_the_spelling(whisper: ShortWindowWhisper) -> None:
    spoken = passage("en_hello_world")
    prompted = Passage(spoken.samples, "en", "all text is written in lower case, like hello world.", VOICED)
    (answer,) = whisper.recognize([prompted])
    assert "hello world" in answer.text.lower()


@pytest.mark.parametrize(
    "samples",
    [silence(3), white_noise(3, -50), white_noise(3, -25), white_noise(0.5, -30)],
    ids=["silence", "faint", "loud", "short"],
)
def test_nothing_is_invented_on_noise(whisper: ShortWindowWhisper, samples: np.ndarray) -> None:
    (answer,) = whisper.recognize([Passage(samples, voiced_us=VOICED)])
    assert answer.text == ""


def test_nothing_is_invented_on_recorded_noises(whisper: ShortWindowWhisper) -> None:
    for noise in find_recordings("noise"):
        # As much voice as a detector takes a cough or a beep for; more opens a turn.
        (answer,) = whisper.recognize([Passage(noise.samples(), voiced_us=200_000)])
        assert answer.text == "", noise.id


def test_what_holds_no_voice_is_not_even_asked_about(whisper: ShortWindowWhisper) -> None:
    spoken = passage("en_hello_world")
    answers = whisper.recognize([Passage(spoken.samples, voiced_us=0), spoken])
    assert [bool(answer.text) for answer in answers] == [False, True]
    assert whisper.recognize([Passage(spoken.samples, voiced_us=0)])[0].compute_us < 5_000


def test_a_batch_says_what_its_passages_say_alone(whisper: ShortWindowWhisper) -> None:
    names = ["en_weather_question", "zh_ae_nihao_shijie", "en_hello_world"]
    for name, answer in zip(names, whisper.recognize([passage(name) for name in names]), strict=True):
        assert WORDS[name] in answer.text.lower()
        assert answer.language == name[:2]


def test_threads_do_not_hear_each_other(whisper: ShortWindowWhisper) -> None:
    names = list(WORDS)[:4] * 4
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda name: whisper.recognize([passage(name)])[0], names))
    for name, answer in zip(names, answers, strict=True):
        assert WORDS[name] in answer.text.lower()


async def test_a_spoken_question_becomes_its_text(real_ears: Ears) -> None:
    call = EarsCall(server_vad(500, candidate_pause_ms=250)).start(real_ears.handle)
    call.say(np.concatenate([silence(0.5), recording("en_weather_question").samples(), silence(0.35)]))
    await call.until(lambda: call.transcripts(Transcript.KIND_CANDIDATE))
    call.say(silence(0.5))
    await call.finish()
    (final,) = call.transcripts()
    assert final.text == call.transcripts(Transcript.KIND_CANDIDATE)[0].text
    assert "weather in paris" in final.text.lower()
    assert (final.language, call.bodies[-1]) == ("en", "leg_done")
    assert 0 < final.compute_us < 5_000_000


async def test_parallel_calls_get_their_own_words(real_ears: Ears) -> None:
    calls = {name: EarsCall(server_vad(300), call_id=name).start(real_ears.handle) for name in WORDS}
    for name, call in calls.items():
        call.say(np.concatenate([silence(0.5), recording(name).samples(), silence(0.8)]))
    for name, call in calls.items():
        await call.finish()
        assert WORDS[name] in "".join(final.text for final in call.transcripts()).lower()


async def test_committed_noise_has_no_words(real_ears: Ears) -> None:
    call = EarsCall(manual()).start(real_ears.handle)
    call.say(white_noise(4, -30))
    call.put(commit=CommitInput(utterance=1))
    await call.finish()
    assert call.transcripts()[0].text == ""
