"""What is MiniMax's own: errors inside a 200, audio that is sent twice, speech in Chinese."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic_settings import SettingsError

from dialtone.audio import pcm16_from_bytes, pcm16_to_float
from dialtone.bus import WorkError
from dialtone.tts.engines.base import Style
from dialtone.tts.loading import load
from dialtone.tts.settings import TtsSettings
from dialtone.vendors.failures import UpstreamFailure
from tests.tts.backends.conftest import MakeRig
from tests.tts.backends.rig import VendorServer
from tests.tts.backends.speech_server import API_KEY, MODEL, VOICE, Speech, tone
from tests.tts.leases import SentenceLease

pytestmark = pytest.mark.timeout(60)


def _audio(*parts: bytes) -> np.ndarray:
    return pcm16_to_float(pcm16_from_bytes(b"".join(parts)))


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (1000, "unknown error", "upstream_error"),
        (1001, "request timeout, please try again later", "timeout"),
        (1002, "rate limit exceeded(RPM)", "rate_limited"),
        (1004, "login fail: Please carry the API secret key", "invalid_api_key"),
        (1008, "insufficient balance", "insufficient_quota"),
        (1026, "input new_sensitive", "content_filter"),
        (1039, "token limit", "rate_limited"),
        (1042, "invisible character ratio limit", "unspeakable_text"),
        (2013, "invalid params, unknown model 'speech-9'", "model_not_found"),
        (2013, "invalid params, voice_setting.vol is out of range", "invalid_voice"),
        (2013, "invalid params, Mismatch type int64 with value number", "invalid_request"),
        (2042, "You don't have access to this voice_id", "invalid_voice"),
        (2049, "invalid api key", "invalid_api_key"),
        (2054, "voice id not exist", "invalid_voice"),
        (2056, "usage limit exceeded", "insufficient_quota"),
        (9999, "of tomorrow", "upstream_error"),
    ],
)
@pytest.mark.parametrize(
    "speech",
    [Speech(parts=[], kind="application/json"), Speech(parts=[]), Speech(parts=[tone(0.1)])],
    ids=["no stream", "first of a stream", "in mid-sentence"],
)
async def test_an_error_inside_a_200_is_said_in_our_words(
    make_rig: MakeRig, status: int, message: str, code: str, speech: Speech
) -> None:
    rig = await make_rig("minimax")
    error = {"status_code": status, "status_msg": message}
    rig.server.speeches.append(replace(speech, error=error))
    with pytest.raises(UpstreamFailure) as failed:
        await rig.say()
    assert (failed.value.code, failed.value.detail) == (code, message)
    assert str(status) in failed.value.message
    assert message not in failed.value.message, "the server's own words are not for clients"


@pytest.mark.parametrize("heeded", [True, False], ids=["left out", "sent twice"])
@pytest.mark.parametrize(
    "parts",
    [[tone(0.2)], [tone(0.1), b"\x01\x02\x03", tone(0.2), b"\x04"], [], [tone(0.1)] * 300],
    ids=["one part", "odd parts", "nothing", "half a minute"],
)
async def test_audio_that_is_sent_once_more_at_the_end_is_played_once(
    make_rig: MakeRig, heeded: bool, parts: list[bytes]
) -> None:
    options = {} if heeded else {"stream_options": {"exclude_aggregated_audio": False}}
    rig = await make_rig("minimax", extra=options)
    rig.server.speeches.append(Speech(parts=parts))
    assert np.array_equal(await rig.say(), _audio(*parts))


async def test_a_last_part_that_is_longer_than_all_before_it_is_played(make_rig: MakeRig) -> None:
    rig = await make_rig("minimax")
    first, last = tone(0.02), tone(0.1)[100:]
    events = [
        b'data: {"data": {"audio": "%s", "status": %d}}\n\n' % (part.hex().encode(), status)
        for part, status in ((first, 1), (last, 2))
    ]
    rig.server.speeches.append(Speech(parts=events, kind="text/event-stream"))
    assert np.array_equal(await rig.say(), _audio(first, last))


async def test_a_body_that_is_no_stream_is_spoken(make_rig: MakeRig) -> None:
    rig = await make_rig("minimax")
    body = b'{"data": {"audio": "%s", "status": 2}, "base_resp": {"status_code": 0}}' % tone().hex().encode()
    rig.server.speeches.append(Speech(parts=[body], kind="application/json"))
    assert np.array_equal(await rig.say(), _audio(tone()))


async def test_events_may_be_cut_anywhere_on_their_way(make_rig: MakeRig) -> None:
    rig = await make_rig("minimax")
    audio, end = tone(0.02), b'data:{"data":{"status":2,"audio":null}}\r\n\r\n'
    half = len(audio) // 2 + 1
    events = b"".join(
        b'data: {"data": {"audio": "%s", "status": 1}}\r\n\r\n' % part.hex().encode()
        for part in (audio[:half], audio[half:])
    )
    parts = [(events + end)[at : at + 7] for at in range(0, len(events + end), 7)]
    rig.server.speeches.append(Speech(parts=parts, kind="text/event-stream"))
    assert np.array_equal(await rig.say(), _audio(audio))


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"[]",
        b'{"base_resp": {"status_code": 0}}',
        b'{"base_resp": {"status_code": "no"}}',
        b'{"data": "abcd"}',
        b'{"data": {"audio": "0g"}}',
        b'{"data": {"audio": "012"}}',
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_an_answer_in_another_format_is_said(make_rig: MakeRig, body: bytes, kind: str) -> None:
    rig = await make_rig("minimax")
    said = b"data: " + body + b"\n\n" if kind == "text/event-stream" else body
    rig.server.speeches.append(Speech(parts=[said], kind=kind))
    with pytest.raises(UpstreamFailure, match="answered") as failed:
        await rig.say()
    assert failed.value.code == "bad_upstream"
    assert len(await rig.say()), "the next sentence is spoken"


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
async def test_a_stream_that_ends_without_its_last_event_has_broken_off(
    make_rig: MakeRig, end: bytes
) -> None:
    rig = await make_rig("minimax")
    event = b'data: {"data": {"audio": "%s", "status": 1}}\n\n' % tone().hex().encode()
    rig.server.speeches.append(Speech(parts=[event, end], kind="text/event-stream"))
    with pytest.raises(UpstreamFailure) as failed:
        await rig.say()
    assert failed.value.code == "upstream_cut"


async def test_a_part_that_is_too_long_is_said_and_not_left_out(make_rig: MakeRig) -> None:
    rig = await make_rig("minimax")
    rig.server.speeches.append(Speech(parts=[tone(0.1), bytes(9 << 20)]))
    with pytest.raises(UpstreamFailure, match="answered an event of over") as failed:
        await rig.say()
    assert failed.value.code == "bad_upstream"


async def test_a_wrong_address_is_said(make_rig: MakeRig) -> None:
    rig = await make_rig("minimax")
    rig.server.speeches.append(Speech(status=404))
    with pytest.raises(UpstreamFailure) as failed:
        await rig.say()
    assert failed.value.code == "bad_upstream", "not the model: it is told of inside a 200"


async def test_sentences_in_turn_share_a_connection(make_rig: MakeRig) -> None:
    rig = await make_rig("minimax")
    for _ in range(4):
        assert len(await rig.say())
    assert len(rig.server.ports) == 1


async def test_what_the_operator_adds_goes_to_the_server(make_rig: MakeRig) -> None:
    extra = {"language_boost": "Chinese", "voice_setting": {"vol": 2, "pitch": -1}, "GroupId": "1 7&x"}
    rig = await make_rig("minimax", language="zh", extra=extra)
    assert len(await rig.say("你好。", Style(speed=1.25)))
    (body,) = rig.server.bodies
    assert body["voice_setting"] == {"voice_id": "test-voice", "speed": 1.25, "vol": 2, "pitch": -1}
    assert (body["language_boost"], body["text"]) == ("Chinese", "你好。")
    assert "GroupId" not in body
    assert rig.server.groups == ["1 7&x"]


async def test_a_sentence_in_chinese_goes_to_the_voice_of_chinese(
    speech_servers: dict[str, VendorServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECH_KEY", API_KEY)
    server = speech_servers["minimax"]
    server.reset()
    common = {
        "engine": "minimax", "model": MODEL, "voice": VOICE, "base_url": server.url,
        "api_key_env": "SPEECH_KEY",
    }  # fmt: skip
    voices: dict[str, Any] = {
        "emma": {**common, "language": "en"},
        "lin": {**common, "language": "zh", "extra": {"language_boost": "Chinese"}},
    }
    stage = await load(TtsSettings(tts_voices=voices, tts_espeak=""))
    try:
        for text, name in (("请在9:30打电话。", "lin"), ("Please call at 9:30.", "emma")):
            lease = SentenceLease(text)
            await stage.handler(lease)
            assert (lease.ended.voice, lease.ended.backend) == (name, "minimax")
    finally:
        await stage.close()
    chinese, english = server.bodies
    assert chinese["language_boost"] == "Chinese"
    assert "九点" in chinese["text"]
    assert "9" not in english["text"]
    assert "language_boost" not in english


@pytest.mark.parametrize(
    "speech",
    [
        Speech(parts=[]),
        Speech(parts=[], error={"status_code": 1002, "status_msg": "rate limit exceeded(RPM)"}),
        Speech(parts=[], error={"status_code": 1026, "status_msg": "input new_sensitive"}),
    ],
    ids=["no audio", "refused", "filtered"],
)
async def test_the_next_of_a_list_speaks_what_it_does_not(
    speech_servers: dict[str, VendorServer], monkeypatch: pytest.MonkeyPatch, speech: Speech
) -> None:
    monkeypatch.setenv("SPEECH_KEY", API_KEY)
    voices: dict[str, Any] = {"both": ["minimax", "openai"]}
    voices |= {
        name: {
            "engine": name, "model": MODEL, "voice": VOICE, "language": "*", "base_url": server.url,
            "api_key_env": "SPEECH_KEY",
        }
        for name, server in speech_servers.items()
    }  # fmt: skip
    for server in speech_servers.values():
        server.reset()
    stage = await load(TtsSettings(tts_voices=voices, tts_espeak=""))
    try:
        for name, spoken_by in (("both", "openai"), ("minimax", "")):
            speech_servers["minimax"].speeches.append(speech)
            lease = SentenceLease("Hello there.", name=name)
            if spoken_by:
                await stage.handler(lease)
                assert lease.ended.voice == spoken_by
                continue
            with pytest.raises(WorkError) as failed:
                await stage.handler(lease)
            assert failed.value.message.startswith("minimax: ")
            assert failed.value.message.endswith("(text)") == (failed.value.code == "content_filter")
            assert failed.value.retryable == (failed.value.code != "content_filter")
    finally:
        await stage.close()


async def test_a_sample_rate_that_it_does_not_have_is_said_at_the_start(make_rig: MakeRig) -> None:
    with pytest.raises(SettingsError, match=r"sample_rate is 48000.*32000"):
        await make_rig("minimax", sample_rate=48_000)
