"""A list of backends: the first that can answer does, one that fails again and again is left alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from dialtone.vad_asr.asr.kinds import new_backend
from dialtone.vad_asr.asr.pool import PoolOverloaded, RecognitionFailed, RecognitionLost, Urgency
from dialtone.vad_asr.asr.recognition import Recognition
from dialtone.vad_asr.asr.registry import AsrRegistry, lines_of
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.transcriber import BackendTranscriber
from dialtone.vendors.registry import BadRegistry
from tests.vad_asr.backends.conftest import passage, until
from tests.vad_asr.backends.deepgram_server import DeepgramServer
from tests.vad_asr.backends.http_server import HttpServer
from tests.vad_asr.backends.scenes import API_KEY, MODEL, Scene


def _registry(**settings: Any) -> AsrRegistry:
    return AsrRegistry(*lines_of(EarsSettings(**settings)), lambda entry: new_backend(entry, None))


@pytest.fixture
async def registry(
    http_servers: dict[str, HttpServer], deepgram_server: DeepgramServer
) -> AsyncIterator[AsrRegistry]:
    """Deepgram, then OpenAI, as the default; `english` is an entry that takes no other language."""
    for server in http_servers.values():
        server.reset()
    openai = {"backend": "openai", "base_url": http_servers["openai"].url, "api_key": API_KEY, "model": MODEL}
    deepgram = {"backend": "deepgram", "base_url": deepgram_server.url, "api_key": API_KEY, "model": MODEL}
    entries = {
        "deepgram": {**deepgram, "limits": {"breaker_failures": 3, "breaker_open_s": 0.5, "answer_s": 2.0}},
        "openai": openai,
        "english": {**openai, "languages": ["en"]},
        "english, then any": ["english", "deepgram"],
    }
    made = _registry(asr_models=json.dumps(entries), asr_default_model="deepgram,openai")
    yield made
    await made.close()


@pytest.fixture
async def transcriber(registry: AsrRegistry) -> AsyncIterator[BackendTranscriber]:
    made = BackendTranscriber(registry)
    yield made
    await made.close()


async def _ask(transcriber: BackendTranscriber, **fields: Any) -> Recognition:
    return await transcriber.begin([passage(**fields)], Urgency.FINAL).result()


def _count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_the_next_answers_where_the_first_fails(
    transcriber: BackendTranscriber, deepgram_server: DeepgramServer
) -> None:
    before = _count("dialtone_asr_upstream_failures_total", backend="deepgram", code="overloaded")
    assert (await _ask(transcriber)).backend == "deepgram"
    deepgram_server.hang_up()
    deepgram_server.refusals.append(Scene(status=503))
    answer = await _ask(transcriber, seconds=1.2)
    assert (answer.text, answer.backend) == ("Hello there.", "openai")
    after = _count("dialtone_asr_upstream_failures_total", backend="deepgram", code="overloaded")
    assert after == before + 1
    assert (await _ask(transcriber)).backend == "deepgram"


async def test_one_whose_circuit_is_open_is_passed_over_and_found_again(
    transcriber: BackendTranscriber, deepgram_server: DeepgramServer
) -> None:
    passed = _count("dialtone_asr_passed_over_total", backend="deepgram")
    opened = _count("dialtone_asr_open_breakers", backend="deepgram")
    deepgram_server.refusals += [Scene(status=500)] * 3
    for _ in range(3):
        assert (await _ask(transcriber)).backend == "openai"
    assert _count("dialtone_asr_open_breakers", backend="deepgram") == opened + 1
    assert not transcriber.live
    asked = len(deepgram_server.queries)
    assert (await _ask(transcriber)).backend == "openai"
    assert len(deepgram_server.queries) == asked
    assert _count("dialtone_asr_passed_over_total", backend="deepgram") == passed + 1
    await asyncio.sleep(0.6)  # it is left alone for half a second
    assert (await _ask(transcriber)).backend == "deepgram"
    assert _count("dialtone_asr_open_breakers", backend="deepgram") == opened


async def test_one_that_takes_audio_and_says_nothing_is_left_alone_and_finals_find_it_again(
    http_servers: dict[str, HttpServer], deepgram_server: DeepgramServer
) -> None:
    common = {"api_key": API_KEY, "model": MODEL}
    limits = {"breaker_failures": 2, "breaker_open_s": 0.3, "answer_s": 0.2}
    first = {
        "backend": "deepgram",
        "base_url": deepgram_server.url,
        "endpointing": "vendor",
        "limits": limits,
    }
    second = {"backend": "openai", "base_url": http_servers["openai"].url}
    entries = {"first": {**common, **first}, "second": {**common, **second}}
    registry = _registry(asr_models=json.dumps(entries), asr_default_model="first,second")
    deepgram_server.silent = True
    call = BackendTranscriber(registry)
    for _ in range(2):
        assert call.ends_turns
        assert (await call.begin([passage(0.3)], Urgency.FOLLOWED).result()).text == ""
        assert (await _ask(call, seconds=0.3)).backend == "openai"
    assert not call.ends_turns
    await call.close()

    deepgram_server.silent = False
    await asyncio.sleep(0.4)  # it is left alone for 0.3 s
    call = BackendTranscriber(registry)
    call.use("first")
    followed = call.begin([passage(0.3)], Urgency.FOLLOWED)
    assert (await _ask(call, seconds=0.3)).text == "Hello there."
    with pytest.raises(RecognitionFailed, match="again and again"):
        await followed.result()
    assert (await call.begin([passage(0.3)], Urgency.FOLLOWED).result()).text == "Hello there."
    await call.close()
    await registry.close()


async def test_what_was_asked_ends_with_the_call(
    registry: AsrRegistry, http_servers: dict[str, HttpServer], deepgram_server: DeepgramServer
) -> None:
    failed = _count("dialtone_asr_upstream_failures_total", backend="deepgram", code="upstream_cut")
    deepgram_server.script.append(Scene(silent=True))
    transcriber = BackendTranscriber(registry)
    asked = transcriber.begin([passage()], Urgency.FINAL)
    await until(lambda: deepgram_server.finalized == 1)
    await transcriber.close()
    with pytest.raises(asyncio.CancelledError):
        await asked.result()
    assert http_servers["openai"].asked == [], "the next of the list was not paid for it"
    after = _count("dialtone_asr_upstream_failures_total", backend="deepgram", code="upstream_cut")
    assert after == failed, "that we hung up is no failure of the server"


async def test_a_language_that_one_lacks_goes_to_the_next(transcriber: BackendTranscriber) -> None:
    transcriber.use("english, then any")
    assert (await _ask(transcriber, language="en")).backend == "openai"
    assert (await _ask(transcriber, language="zh-CN")).backend == "deepgram"
    transcriber.use("english")
    with pytest.raises(RecognitionLost, match=r"^openai: does not take 'zh' \(language\)$") as refused:
        await _ask(transcriber, language="zh-CN")
    assert refused.value.code == "unsupported_language"


async def test_the_last_is_waited_for_as_long_as_it_asks_if_that_is_short(
    transcriber: BackendTranscriber, http_servers: dict[str, HttpServer]
) -> None:
    transcriber.use("openai")
    http_servers["openai"].script.append(Scene(status=429, headers={"Retry-After": "0.2"}))
    assert (await _ask(transcriber)).text == "Hello there."
    http_servers["openai"].script.extend([Scene(status=429, headers={"Retry-After": "0.1"})] * 2)
    with pytest.raises(RecognitionFailed) as failed:
        await _ask(transcriber)
    assert (failed.value.code, type(failed.value)) == ("rate_limited", RecognitionFailed)


async def test_words_are_shown_as_they_come(
    transcriber: BackendTranscriber, http_servers: dict[str, HttpServer]
) -> None:
    transcriber.use("openai")
    http_servers["openai"].script.append(Scene(pace_s=0.05))
    shown: list[str] = []
    asked = transcriber.begin([passage(), passage()], Urgency.FINAL, lambda so_far: shown.append(so_far.text))
    assert (await asked.result()).text == "Hello there. Hello there."
    assert shown[:3] == ["Hello", "Hello there.", "Hello there."]
    assert shown[-1] == "Hello there. Hello there."


async def test_a_name_that_nobody_serves_is_said_once_something_is_to_be_recognised(
    transcriber: BackendTranscriber,
) -> None:
    transcriber.use("no-such-thing")
    assert (await transcriber.begin([], Urgency.FINAL).result()).text == ""
    with pytest.raises(RecognitionLost) as refused:
        await _ask(transcriber)
    assert refused.value.code == "model_not_found"
    transcriber.use("")
    assert (await _ask(transcriber)).text == "Hello there."


async def test_a_pool_that_is_full_is_a_trouble_like_others(registry: AsrRegistry) -> None:
    class Full:
        name = "full"
        idle = False

        def listen(self) -> Any:
            return self

        async def hear(self, _question: object) -> AsyncIterator[Recognition]:
            raise PoolOverloaded("full")
            yield Recognition("", "", 0)

        async def close(self) -> None:
            return

    (first, second) = registry.choose("")
    first.served.backend = Full()  # type: ignore[assignment]  # what of it is used
    transcriber = BackendTranscriber(registry)
    assert (await _ask(transcriber)).backend == second.served.backend.name
    await transcriber.close()


# --- the registry


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", ["deepgram:nova-3", "openai:gpt-transcribe"]),
        ("default", ["deepgram:nova-3", "openai:gpt-transcribe"]),
        ("gpt-4o-transcribe", ["openai:gpt-4o-transcribe"]),
        ("openai/whisper-large", ["openai:whisper-large"]),
        ("nova-2-phonecall", ["deepgram:nova-2-phonecall"]),
        ("deepgram/base", ["deepgram:base"]),
        ("Gemini", ["gemini:gemini-3.8-flash"]),
        ("gemini-9", ["gemini:gemini-9"]),
    ],
)
async def test_the_variables_serve_the_vendors_names(name: str, expected: list[str]) -> None:
    registry = _registry(
        asr_openai_api_key="k", deepgram_api_key="k", gemini_api_key="k", asr_default_model="deepgram, openai"
    )
    choices = registry.choose(name)
    assert [f"{choice.served.backend.name}:{choice.model}" for choice in choices] == expected
    await registry.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"asr_default_model": "deepgram"}, "ASR_DEFAULT_MODEL names 'deepgram'"),
        ({"asr_default_model": " , "}, "ASR_DEFAULT_MODEL names nobody"),
        ({"asr_models": '{"a": ["b"]}'}, "ASR_MODELS.a names 'b'"),
        ({"asr_models": '{"a": {"backend": "hunter2"}}'}, "wrong entry 'a': backend"),
        ({"asr_models": '{"a": {"backend": "openai", "api_key": ["hunter2"]}}'}, "wrong entry 'a': api_key"),
        ({"asr_models": "[]", "asr_default_model": "x"}, "ASR_MODELS"),
        ({"asr_models": "/no/such/file.toml"}, "ASR_MODELS cannot be read"),
        (
            {"asr_models": '{"a": {"backend": "openai", "base_url": "http://x"}}', "require_tls": True,
             "nats_url": "tls://x"},
            "REQUIRE_TLS",
        ),
    ],
)  # fmt: skip
def test_a_wrong_registry_says_what_is_wrong_and_repeats_no_value(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRegistry) as wrong:
        AsrRegistry(*lines_of(EarsSettings(**settings)), lambda _: None)  # type: ignore[arg-type,return-value]  # not made
    assert said in str(wrong.value)
    assert "hunter2" not in str(wrong.value)
