"""Vendors' servers in trouble, each in its own words: a failure says what is wrong, and whether it passes."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing

import pytest

from dialtone.vendors.failures import UpstreamFailure
from tests.vad_asr.backends.conftest import MakeRig, until
from tests.vad_asr.backends.http_server import HttpServer
from tests.vad_asr.backends.scenes import API_KEY, Scene

_QUICK = {"limits": {"answer_s": 0.4, "answer_per_audio_s": 0.0}}
_HTML = (b"<html><body>Bad gateway</body></html>", "text/html")
_LIST = (b"[1, 2]", "application/json")
_OTHER = (b'{"type": "Results", "answer": 42}', "application/json")
_CHUNK = b'data: {"object": "transcription.chunk", "choices": [%s]}\n\n'
_NO_JSON = (b"data: words\n\n", "text/event-stream")


async def _failure(make_rig: MakeRig, vendor: str, scene: Scene, **fields: object) -> UpstreamFailure:
    rig = await make_rig(vendor, **fields)
    rig.server.script.append(scene)
    with pytest.raises(UpstreamFailure) as failed:
        await rig.hear()
    for listener in rig.listeners:
        await listener.close()
    await rig.until_idle()
    assert (await rig.hear())[-1].text == "Hello there.", "the next question is answered"
    return failed.value


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [
        (402, "insufficient_quota", False),
        (403, "invalid_api_key", False),
        (429, "rate_limited", False),
        (500, "upstream_error", True),
        (502, "upstream_error", True),
        (503, "overloaded", True),
    ],
)
async def test_a_status_is_said_in_our_words(
    make_rig: MakeRig, vendor: str, status: int, code: str, again: bool
) -> None:
    failure = await _failure(make_rig, vendor, Scene(status=status))
    assert (failure.code, failure.again) == (code, again)


async def test_a_short_wait_that_the_server_asks_for_is_known(make_rig: MakeRig, vendor: str) -> None:
    scene = Scene(status=429, headers={"Retry-After": "1"}, retry_delay="1s")
    failure = await _failure(make_rig, vendor, scene)
    assert (failure.code, failure.again, failure.after_s) == ("rate_limited", True, 1.0)


async def test_a_long_one_is_not_waited_out(make_rig: MakeRig, vendor: str) -> None:
    scene = Scene(status=429, headers={"Retry-After": "30"}, retry_delay="30s")
    failure = await _failure(make_rig, vendor, scene)
    assert (failure.code, failure.again, failure.after_s) == ("rate_limited", False, 0.0)


async def test_a_wrong_key_is_said_and_not_shown(
    make_rig: MakeRig, vendor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = await make_rig(vendor, api_key="sk-wrong-0123456789")
    with pytest.raises(UpstreamFailure) as failed:
        await rig.hear()
    assert failed.value.code == "invalid_api_key"
    shown = f"{failed.value} {failed.value.message} {failed.value.detail} {''.join(capsys.readouterr())}"
    assert "sk-wrong" not in shown


async def test_the_key_is_in_no_log_however_much_is_logged(
    make_rig: MakeRig, vendor: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await (await make_rig(vendor)).hear()
    assert API_KEY not in caplog.text


async def test_an_unknown_model_is_named(make_rig: MakeRig, vendor: str) -> None:
    rig = await make_rig(vendor)
    rig.model = "no-such-model"
    with pytest.raises(UpstreamFailure) as failed:
        await rig.hear()
    assert failed.value.code == "model_not_found"


@pytest.mark.parametrize("raw", [_HTML, _LIST, _OTHER, _NO_JSON], ids=["html", "list", "other", "no json"])
async def test_another_format_is_said(make_rig: MakeRig, vendor: str, raw: tuple[bytes, str]) -> None:
    failure = await _failure(make_rig, vendor, Scene(raw=raw))
    assert failure.code == "bad_upstream"


@pytest.mark.parametrize("after", [0, 1])
async def test_words_that_break_off_are_no_answer(make_rig: MakeRig, vendor: str, after: int) -> None:
    failure = await _failure(make_rig, vendor, Scene(cut_after=after))
    assert (failure.code, failure.again) == ("upstream_cut", True)


@pytest.mark.parametrize(
    ("vendor", "event"),
    [
        ("openai", b'{"type": "transcript.text.delta", "delta": "Hello"}'),
        ("openai", b'{"object": "transcription.chunk", "choices": [{"delta": {"content": "Hello"}}]}'),
        ("gemini", b'{"candidates": [{"content": {"parts": [{"text": "en\\nHello"}]}}]}'),
    ],
)
async def test_a_stream_that_ends_without_an_end_is_no_answer(
    make_rig: MakeRig, vendor: str, event: bytes
) -> None:
    scene = Scene(raw=(b"data: " + event + b"\n\n", "text/event-stream"))
    failure = await _failure(make_rig, vendor, scene)
    assert (failure.code, failure.again) == ("upstream_cut", True)


@pytest.mark.parametrize(
    "raw",
    [
        (b'{"text": "Hello there."}', "application/json"),
        (
            _CHUNK % b'{"delta": {"content": "Hello there."}}'
            + _CHUNK % b'{"delta": {}, "finish_reason": "stop"}'
            + b"data: [DONE]\n\n",
            "text/event-stream",
        ),
    ],
    ids=["JSON, as whisper-1", "chunks, as vLLM"],
)
async def test_other_servers_that_speak_openais_protocol_are_understood(
    make_rig: MakeRig, raw: tuple[bytes, str]
) -> None:
    rig = await make_rig("openai")
    rig.server.script.append(Scene(raw=raw))
    assert (await rig.hear())[-1].text == "Hello there."


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION"])
async def test_a_model_that_will_not_write_it_down_says_so(make_rig: MakeRig, reason: str) -> None:
    event = b'{"candidates": [{"content": {}, "finishReason": "' + reason.encode() + b'"}]}'
    failure = await _failure(
        make_rig, "gemini", Scene(raw=(b"data: " + event + b"\n\n", "text/event-stream"))
    )
    assert failure.code == "content_filter"


async def test_a_server_that_says_nothing_is_given_up(make_rig: MakeRig, vendor: str) -> None:
    begun = time.monotonic()
    failure = await _failure(make_rig, vendor, Scene(silent=True), **_QUICK)
    assert failure.code == "timeout"
    assert time.monotonic() - begun < 3


async def test_one_that_is_slow_in_mid_answer_is_given_up(make_rig: MakeRig, vendor: str) -> None:
    failure = await _failure(make_rig, vendor, Scene(words=("One", " two", " three"), pace_s=0.3), **_QUICK)
    assert failure.code == "timeout"


async def test_a_server_that_is_not_there_is_said(make_rig: MakeRig, vendor: str) -> None:
    rig = await make_rig(vendor, base_url="http://127.0.0.1:9/v1")
    with pytest.raises(UpstreamFailure) as failed:
        await rig.hear()
    assert (failed.value.code, failed.value.again) == ("upstream_unreachable", True)


async def test_a_connection_that_idled_too_long_for_the_server_costs_no_turn(
    make_rig: MakeRig, vendor: str
) -> None:
    rig = await make_rig(vendor)

    def gone() -> bool:
        server = rig.server
        return not (server.connections if isinstance(server, HttpServer) else server.open)

    await until(gone)  # those of other tests were to be kept longer
    if isinstance(rig.server, HttpServer):
        rig.server.hang_up_idle(0.05)
    else:
        rig.server.idle_s = 0.05  # NET-0001
    listener = rig.listen()
    for _ in range(3):
        heard = [said async for said in listener.hear(rig.question())]
        assert heard[-1].text == "Hello there."
        await until(gone)


async def test_nothing_said_is_no_words(make_rig: MakeRig, vendor: str) -> None:
    rig = await make_rig(vendor)
    rig.server.script.append(Scene(words=()))
    assert [(r.text, r.partial) for r in await rig.hear()] == [("", False)]


async def test_words_are_shown_before_the_answer_is_complete(make_rig: MakeRig, vendor: str) -> None:
    rig = await make_rig(vendor)
    rig.server.script.append(Scene(pace_s=0.2))
    loop = asyncio.get_running_loop()
    times = []
    async with aclosing(rig.listen().hear(rig.question())) as heard:
        async for recognition in heard:
            times.append((recognition.partial, loop.time()))
    assert times[0][0]
    assert times[-1][1] - times[0][1] > 0.15


async def test_hanging_up_in_mid_answer_reaches_the_server_within_a_part(
    make_rig: MakeRig, vendor: str
) -> None:
    rig = await make_rig(vendor)
    rig.server.script.append(Scene(words=["la "] * 200, pace_s=0.05))
    listener = rig.listen()
    async with aclosing(listener.hear(rig.question())) as heard:
        await anext(heard)
    await listener.close()
    await rig.until_idle(1.0)
