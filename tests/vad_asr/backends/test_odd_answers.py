"""Whatever JSON a vendor answers: words that can be sent on, or a failure of this turn that names it."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dialtone.v1.common_pb2 import Error
from dialtone.v1.ears_pb2 import Transcript
from dialtone.vad_asr.asr.kinds import new_backend
from dialtone.vad_asr.asr.pool import RecognitionFailed, Urgency
from dialtone.vad_asr.asr.registry import AsrRegistry, lines_of
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.transcriber import BackendTranscriber
from tests.dialects.json_values import JSON
from tests.fixtures.effort import examples
from tests.vad_asr.backends.conftest import passage
from tests.vad_asr.backends.deepgram_server import DeepgramServer
from tests.vad_asr.backends.http_server import HttpServer
from tests.vad_asr.backends.scenes import API_KEY, MODEL, Scene

Json = dict[str, Any]

_RESULTS = {
    "type": "Results",
    "start": 0.0,
    "duration": 1.0,
    "is_final": True,
    "speech_final": True,
    "from_finalize": True,
    "channel": {"alternatives": [{"transcript": "Hello", "languages": ["en"], "words": []}]},
}
_PROPER: dict[str, list[Json]] = {
    "openai": [
        {"type": "transcript.text.delta", "delta": "Hello"},
        {"type": "transcript.text.done", "text": "Hello", "languages": [{"code": "en"}]},
        {"text": "Hello", "languages": ["en"]},
        {
            "object": "transcription.chunk",
            "choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop"}],
        },
        {"error": {"message": "No.", "code": "audio_too_short", "param": "file"}},
    ],
    "gemini": [
        {
            "candidates": [{"content": {"parts": [{"text": "en\nHello"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 4},
        },
        {"promptFeedback": {"blockReason": "SAFETY"}},
        {
            "error": {
                "code": 429,
                "message": "No.",
                "details": [{"retryDelay": "0.01s"}, {"reason": "API_KEY_INVALID"}],
            }
        },
    ],
    "deepgram": [
        _RESULTS,
        {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 0.5},
        {"type": "Error", "description": "No."},
        {"err_code": "No", "err_msg": "No such model/language combination found."},
    ],
}
_DEEP, _HUGE, _HALF = "<deep>", "<huge>", "<half>"
_RAW = {_DEEP: "[" * 50_000, _HUGE: "1e999", _HALF: r'"\ud800"'}
_ODD: st.SearchStrategy[Any] = st.one_of(
    JSON,
    st.sampled_from(
        [None, True, -1, 10**400, 1e300, "1.5", "\0", "x" * 70_000, [], {}, [[]], float("nan"), *_RAW]
    ),
)


def _places(said: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each value in it."""
    inside = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    return [at, *(place for key, value in inside for place in _places(value, (*at, key)))]


def _with(said: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    changed = copy.deepcopy(said)
    there = changed
    for key in place[:-1]:
        there = there[key]
    there[place[-1]] = odd
    return changed


def _without(said: Any, place: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(said)
    there = changed
    for key in place[:-1]:
        there = there[key]
    del there[place[-1]]
    return changed


def _written(said: Any) -> bytes:
    text = json.dumps(said)
    for name, raw in _RAW.items():
        text = text.replace(json.dumps(name), raw)
    return text.encode()


@st.composite
def _answers(draw: st.DrawFn, vendor: str) -> tuple[bytes, int, bool]:
    """A body, its status, and whether it is an event of a stream."""
    proper = draw(st.sampled_from(_PROPER[vendor]))
    place = draw(st.sampled_from(_places(proper)))
    if place and draw(st.integers(0, 5)) == 0:
        said = _without(proper, place)
    else:
        said = _with(proper, place, draw(_ODD))
    return _written(said), draw(st.sampled_from([200, 200, 200, 400, 429, 500])), draw(st.booleans())


@contextmanager
def _asking(vendor: str, http_servers: dict[str, HttpServer]) -> Iterator[Callable[[Scene], Any]]:
    """What has the vendor's server answer a question so, and returns the words or the failure."""
    with asyncio.Runner() as runner:
        deepgram = DeepgramServer()
        runner.run(deepgram.start())
        server = deepgram if vendor == "deepgram" else http_servers[vendor]
        entry: Json = {"backend": vendor, "base_url": server.url, "api_key": API_KEY, "model": MODEL}
        entry["limits"] = {"answer_s": 0.15, "answer_per_audio_s": 0, "breaker_failures": 10_000}
        if vendor == "deepgram":
            entry["endpointing"] = "vendor"
        told = EarsSettings(asr_models=json.dumps({"odd": entry}), asr_default_model="odd")
        registry = AsrRegistry(*lines_of(told), lambda one: new_backend(one, None))

        async def ask(scene: Scene) -> Any:
            server.script.clear()
            server.script.append(scene)
            transcriber = BackendTranscriber(registry)
            try:
                return await transcriber.begin([passage(0.2)], Urgency.FINAL).result()
            except RecognitionFailed as failure:
                return failure
            finally:
                await transcriber.close()

        yield lambda scene: runner.run(ask(scene))
        runner.run(registry.close())
        runner.run(deepgram.stop())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("vendor", ["openai", "gemini", "deepgram"])
def test_nothing_that_a_vendor_answers_costs_more_than_its_turn(
    http_servers: dict[str, HttpServer], vendor: str
) -> None:
    with _asking(vendor, http_servers) as ask:

        @settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(_answers(vendor))
        @example((_written({"error": {"details": 7, "message": _HALF, "code": {}}}), 400, False))
        @example((_written(_DEEP), 200, False))
        @example((_written({"text": _HALF}), 200, False))
        @example((_written({"text": "x" * 60_000}), 200, False))
        @example((_written({"text": "Hello\0", "languages": ["\n"]}), 200, False))
        @example((_written({"promptFeedback": {"blockReason": _HALF}}), 200, True))
        @example((_written({**_RESULTS, "start": 10**400}), 200, False))
        @example((_written({**_RESULTS, "channel": _DEEP}), 200, False))
        def check(answer: tuple[bytes, int, bool]) -> None:
            body, status, event = answer
            raw = (b"data: " + body + b"\n\n", "text/event-stream") if event else (body, "application/json")
            if vendor == "deepgram":
                raw = (body, "")
            heard = ask(Scene(raw=raw, status=status))
            if isinstance(heard, RecognitionFailed):
                assert str(heard).startswith(f"{vendor}: ")
                Transcript(error=Error(code=heard.code, message=str(heard)))
            else:
                assert "\0" not in heard.text
                assert not heard.language or heard.language.isalpha()
                Transcript(text=heard.text, language=heard.language)

        check()


@pytest.mark.parametrize(
    ("vendor", "said", "field"),
    [
        ("openai", {"type": "transcript.text.delta", "delta": 5}, "delta"),
        ("openai", {"text": None}, "text"),
        ("openai", {"text": _HALF}, "text"),
        ("openai", {"text": "x" * 9_000}, "text"),
        ("openai", {"object": "transcription.chunk", "choices": {}}, "choices"),
        ("gemini", {"candidates": [{"content": {"parts": "Hello"}}]}, "candidates.0.content.parts"),
        ("gemini", {"candidates": [{"finishReason": "so\nit was"}]}, "candidates.0.finishReason"),
        ("deepgram", {**_RESULTS, "start": _HUGE}, "start"),
        ("deepgram", {**_RESULTS, "duration": -1}, "duration"),
        ("deepgram", {**_RESULTS, "channel": []}, "channel"),
        ("deepgram", {**_RESULTS, "channel": {"alternatives": []}}, "channel.alternatives"),
        ("deepgram", {"type": "UtteranceEnd", "last_word_end": "soon"}, "last_word_end"),
        ("deepgram", {"type": None}, "type"),
    ],
)
def test_what_is_of_another_shape_is_named(
    http_servers: dict[str, HttpServer], vendor: str, said: Json, field: str
) -> None:
    raw = (b"data: " + _written(said) + b"\n\n", "text/event-stream")
    with _asking(vendor, http_servers) as ask:
        failure = ask(Scene(raw=(_written(said), "") if vendor == "deepgram" else raw))
    assert isinstance(failure, RecognitionFailed)
    assert failure.code == "bad_upstream"
    assert str(failure).startswith(f"{vendor}: answered ")
    assert str(failure).endswith(f": {field} (base_url)")
