"""What `call` promises: it plays a question in real time, shows and saves the answer, says what it cost."""

import asyncio
import re
import shutil
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dialtone.local.call.command import call
from dialtone.local.call.microphone import Microphone
from dialtone.local.call.question import default_questions, question_language
from dialtone.local.call.recording import FRAME_MS, Recording, has_voice, load_wav, save_wav
from dialtone.local.call.settings import CallSettings
from dialtone.local.chinese import CHINESE_MODELS
from dialtone.local.settings import StackSettings
from dialtone.local.state import StackState
from dialtone.models import ModelMissing, locate
from tests.integration.chinese import heard_in, sound_error_rate


def tone(seconds: float, rate: int, amplitude: int = 8000) -> np.ndarray[Any, np.dtype[np.int16]]:
    times = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * 300 * times)).astype(np.int16)


def with_silence(rate: int) -> Recording:
    """100 ms of silence, 200 ms of tone, 300 ms of silence."""
    silence = np.zeros(rate // 10, dtype=np.int16)
    return Recording(np.concatenate([silence, tone(0.2, rate), *[silence] * 3]), rate)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 48000])
def test_the_last_voiced_frame_is_the_one_that_ends_the_voice(rate: int) -> None:
    recording = with_silence(rate).at_rate(24000)
    last = recording.last_voiced_frame()
    assert last is not None
    assert abs((last + 1) * FRAME_MS - 300) <= FRAME_MS
    frames = recording.frames()
    assert len(frames) == 30
    assert has_voice(frames[last])
    assert not any(has_voice(frame) for frame in frames[last + 1 :])


def test_silence_has_no_voiced_frame() -> None:
    assert Recording(np.zeros(1000, dtype=np.int16), 16000).last_voiced_frame() is None


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_wav_files_of_every_width_are_read(width: int, tmp_path: Path) -> None:
    samples = tone(0.1, 16000)
    wide = samples.astype(np.int64) << 16
    raw = {
        1: ((samples >> 8) + 128).astype(np.uint8).tobytes(),
        2: samples.astype("<i2").tobytes(),
        3: b"".join(int(value >> 8).to_bytes(3, "little", signed=True) for value in wide),
        4: wide.astype("<i4").tobytes(),
    }[width]
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(width)
        target.setframerate(16000)
        target.writeframes(raw)
    read = load_wav(path)
    assert read.rate == 16000
    assert np.abs(read.samples.astype(int) - samples).max() <= (256 if width == 1 else 1)


def test_channels_are_mixed(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as target:
        target.setnchannels(2)
        target.setsampwidth(2)
        target.setframerate(8000)
        target.writeframes(np.array([[1000, 3000]] * 80, dtype="<i2").tobytes())
    assert set(load_wav(path).samples.tolist()) == {2000}


async def test_the_microphone_keeps_real_time_and_knows_when_the_voice_ended() -> None:
    sent: list[tuple[float, bytes]] = []

    async def send(frame: bytes) -> None:
        sent.append((time.perf_counter(), frame))

    microphone = Microphone(send, 24000)
    playing = microphone.play(with_silence(16000))
    running = asyncio.create_task(microphone.run())
    await asyncio.wait_for(playing.finished.wait(), 10)
    running.cancel()
    assert playing.voice_end is not None
    last_voiced = max(n for n, (_, frame) in enumerate(sent) if has_voice(frame))
    assert sent[last_voiced][0] <= playing.voice_end <= sent[last_voiced + 1][0]
    # Never ahead of the schedule: the nth frame is not sent before its time.
    began = sent[0][0]
    assert all(at - began >= n * FRAME_MS / 1000 - 0.002 for n, (at, _) in enumerate(sent))


@pytest.mark.models
@pytest.mark.parametrize("protocol", ["realtime", "voice_call"])
def test_a_call_to_a_running_stack_saves_the_answer_and_shows_its_times(
    stack: StackState,
    question: Recording,
    protocol: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_wav(tmp_path / "question.wav", question.samples.astype("<i2").tobytes(), question.rate)
    files = {"wav": tmp_path / "question.wav", "out": tmp_path / "out" / "a.wav"}
    settings = CallSettings.model_validate({"url": stack.url, "protocol": protocol, **files})
    status = call(settings, StackSettings(run_dir=tmp_path / "run"), Console(width=120))
    shown = capsys.readouterr().out
    assert status == 0, shown
    answer = load_wav(tmp_path / "out" / "a.wav")
    assert answer.seconds > 1
    assert answer.last_voiced_frame() is not None
    assert "dialtone:" in shown
    assert "v2v" in shown
    assert ("LLM first token" in shown) is (protocol == "realtime")


@pytest.mark.models
@pytest.mark.parametrize("protocol", ["realtime", "voice_call"])
def test_moshi_can_be_called_too(
    stack: StackState,
    question: Recording,
    protocol: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It answers when it likes, which may be before the turn's end is known."""
    save_wav(tmp_path / "question.wav", question.samples.astype("<i2").tobytes(), question.rate)
    files = {"wav": tmp_path / "question.wav", "out": tmp_path / "a.wav"}
    given = {"url": stack.url, "protocol": protocol, "model": "moshi", "answer_timeout_s": 30, **files}
    status = call(
        CallSettings.model_validate(given), StackSettings(run_dir=tmp_path / "run"), Console(width=120)
    )
    shown = capsys.readouterr().out
    assert status == 0, shown
    assert "simulated answer" in shown
    assert load_wav(tmp_path / "a.wav").last_voiced_frame() is not None


def test_a_gateway_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_wav(tmp_path / "q.wav", tone(0.5, 16000).tobytes(), 16000)
    settings = CallSettings(url="http://127.0.0.1:9", wav=tmp_path / "q.wav", out=tmp_path / "a.wav")
    assert call(settings, StackSettings(run_dir=tmp_path / "run"), Console(width=200)) == 1
    assert "ws://127.0.0.1:9/v1/realtime" in capsys.readouterr().out
    assert not (tmp_path / "a.wav").exists()


def test_a_file_that_is_no_recording_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q.wav").write_text("no sound in here")
    settings = CallSettings(url="http://127.0.0.1:9", wav=tmp_path / "q.wav", out=tmp_path / "a.wav")
    assert call(settings, StackSettings(run_dir=tmp_path / "run"), Console(width=200)) == 1
    assert "q.wav" in capsys.readouterr().out


@pytest.mark.models
@pytest.mark.timeout(300)
def test_a_question_in_the_projects_own_voice_is_answered(
    real_stack: StackState, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = CallSettings(url=real_stack.url, out=tmp_path / "a.wav")
    status = call(settings, StackSettings(run_dir=tmp_path / "run"), Console(width=120))
    shown = capsys.readouterr().out
    assert status == 0, shown
    assert "capital city of France" in shown
    assert "Paris" in shown
    assert load_wav(tmp_path / "a.wav").seconds > 0.5


@pytest.mark.models
@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_a_question_in_chinese_is_answered_in_chinese(
    real_stack: StackState, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = CallSettings(url=real_stack.url, out=tmp_path / "a.wav", language="zh", turns=3)
    status = call(settings, StackSettings(run_dir=tmp_path / "run"), Console(width=120))
    shown = capsys.readouterr().out
    assert status == 0, shown
    for word in ("首都", "巴黎", "等于", "月亮"):
        assert word in shown, shown
    assert load_wav(tmp_path / "a.wav").seconds > 1.5


@pytest.mark.models
@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_a_chinese_caller_is_spoken_to_by_a_neural_voice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `make call LANGUAGE=zh` does where no stack runs; what was said is heard in the recording."""
    monkeypatch.delenv("TTS_VOICES", raising=False)
    try:
        for name in CHINESE_MODELS:
            locate(name)
    except ModelMissing as missing:
        pytest.skip(str(missing))
    settings = CallSettings(language="zh", turns=3, out=tmp_path / "a.wav")
    status = call(
        settings, StackSettings(port=0, run_dir=tmp_path / "run", language="zh"), Console(width=200)
    )
    shown = capsys.readouterr().out
    assert status == 0, shown
    said = "".join(re.findall(r"dialtone: (.*)", shown))
    answers = load_wav(tmp_path / "a.wav")
    heard = heard_in(answers.samples.tobytes(), answers.rate)
    assert sound_error_rate(said, heard) < 0.35, (said, heard)


def test_there_are_questions_in_chinese_for_whoever_wants_them(tmp_path: Path) -> None:
    assert [question_language(code) for code in ("zh", "zh-cn", "", "en", "de")] == [
        "zh",
        "zh",
        "en",
        "en",
        "en",
    ]
    questions = default_questions(4, tmp_path, "zh")
    assert len({len(question.samples) for question in questions}) == 3
    assert all(question.last_voiced_frame() for question in questions)


def test_an_empty_recording_is_said_before_there_is_a_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_wav(tmp_path / "q.wav", b"", 16000)
    settings = CallSettings(url="http://127.0.0.1:9", wav=tmp_path / "q.wav", out=tmp_path / "a.wav")
    assert call(settings, StackSettings(run_dir=tmp_path / "run"), Console(width=200)) == 1
    assert "q.wav: holds no sound" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "taken"), [("zh", "zh"), ("zh-CN", "zh-cn"), ("de_DE:de", ""), ("C.UTF-8", ""), ("", "")]
)
def test_a_desktops_locale_is_no_language_of_a_recording(
    given: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", given)
    assert CallSettings().language == taken
