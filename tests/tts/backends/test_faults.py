"""Vendors' servers in trouble: a failure says what is wrong, and whether it passes."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from dialtone.tts.engines.base import Style
from dialtone.vendors.failures import UpstreamFailure
from tests.tts.backends.conftest import MakeRig
from tests.tts.backends.speech_server import API_KEY, Speech, tone

_QUICK = {"limits": {"first_s": 0.4, "pause_s": 0.3}}


async def _failure(make_rig: MakeRig, vendor: str, speech: Speech, **fields: object) -> UpstreamFailure:
    rig = await make_rig(vendor, **fields)
    rig.server.speeches.append(speech)
    with pytest.raises(UpstreamFailure) as failed:
        await rig.say()
    await rig.until_idle()
    assert len(await rig.say()), "the next sentence is spoken"
    return failed.value


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (402, "insufficient_quota"),
        (403, "invalid_api_key"),
        (429, "rate_limited"),
        (500, "upstream_error"),
        (502, "upstream_error"),
        (503, "overloaded"),
    ],
)
async def test_a_status_is_said_in_our_words(make_rig: MakeRig, vendor: str, status: int, code: str) -> None:
    for error in ({"message": "No.", "type": "server_error", "param": None, "code": None}, None):
        assert (await _failure(make_rig, vendor, Speech(status=status, error=error))).code == code


@pytest.mark.parametrize(("asked", "waited_s"), [("1", 1.0), ("30", 0.0)])
async def test_a_wait_that_the_server_asks_for_is_known_if_it_is_short(
    make_rig: MakeRig, vendor: str, asked: str, waited_s: float
) -> None:
    failure = await _failure(make_rig, vendor, Speech(status=429, headers={"Retry-After": asked}))
    assert (failure.code, failure.after_s) == ("rate_limited", waited_s)


async def test_a_wrong_key_is_said_and_not_shown(
    make_rig: MakeRig, vendor: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WRONG_KEY", "sk-wrong-0123456789")
    rig = await make_rig(vendor, api_key_env="WRONG_KEY")
    with pytest.raises(UpstreamFailure) as failed:
        await rig.say()
    assert failed.value.code == "invalid_api_key"
    shown = f"{failed.value} {failed.value.message} {failed.value.detail} {''.join(capsys.readouterr())}"
    assert "sk-wrong" not in shown


async def test_a_key_may_lie_in_a_file_and_is_in_no_log(
    make_rig: MakeRig,
    vendor: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "key").write_text(API_KEY + "\n")
    monkeypatch.setenv("MOUNTED_KEY_FILE", str(tmp_path / "key"))
    caplog.set_level(logging.DEBUG)
    assert len(await (await make_rig(vendor, api_key_env="MOUNTED_KEY")).say())
    assert API_KEY not in caplog.text


@pytest.mark.parametrize(("field", "code"), [("model", "model_not_found"), ("voice", "invalid_voice")])
async def test_an_unknown_model_or_voice_is_named(
    make_rig: MakeRig, vendor: str, field: str, code: str
) -> None:
    rig = await make_rig(vendor, **{field: "nobody"})
    with pytest.raises(UpstreamFailure) as failed:
        await rig.say()
    assert failed.value.code == code


@pytest.mark.parametrize(
    "speech",
    [
        Speech(parts=[b"<html></html>"], kind="text/html"),
        Speech(parts=[b'{"audio": ""}'], kind="application/json"),
        Speech(parts=[b"ID3 and so on"], kind="audio/mpeg"),
        Speech(parts=[b"RI", b"FF....WAVE"], kind="application/octet-stream"),
        Speech(kind="audio/pcm;rate=16000"),
    ],
    ids=["a page", "JSON", "MP3", "WAV that is not called so", "another rate"],
)
async def test_another_format_is_said(make_rig: MakeRig, vendor: str, speech: Speech) -> None:
    failure = await _failure(make_rig, vendor, speech)
    assert failure.code == "bad_upstream"
    assert "answered" in failure.message


@pytest.mark.parametrize("after", [0, 1])
async def test_audio_that_breaks_off_is_a_failure(make_rig: MakeRig, vendor: str, after: int) -> None:
    failure = await _failure(make_rig, vendor, Speech(parts=[tone(0.1)] * 2, cut_after=after))
    assert failure.code == "upstream_cut"


async def test_a_server_that_says_nothing_is_given_up(make_rig: MakeRig, vendor: str) -> None:
    begun = time.monotonic()
    assert (await _failure(make_rig, vendor, Speech(silent=True), **_QUICK)).code == "timeout"
    assert time.monotonic() - begun < 3


async def test_one_that_stops_in_mid_sentence_is_given_up(make_rig: MakeRig, vendor: str) -> None:
    speech = Speech(parts=[tone(0.1)] * 2, pace_s=2.0)
    assert (await _failure(make_rig, vendor, speech, **_QUICK)).code == "timeout"


async def test_one_that_drips_is_given_up(make_rig: MakeRig, vendor: str) -> None:
    speech = Speech(parts=[tone(0.01)] * 20, pace_s=0.1)
    assert (await _failure(make_rig, vendor, speech, limits={"whole_s": 0.5})).code == "timeout"


async def test_a_server_that_is_not_there_is_said(make_rig: MakeRig, vendor: str) -> None:
    rig = await make_rig(vendor, base_url="http://127.0.0.1:9/v1")
    with pytest.raises(UpstreamFailure) as failed:
        await anext(rig.engine.speak("Hello.", Style()))
    assert failed.value.code == "upstream_unreachable"
