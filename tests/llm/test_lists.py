"""A list of models: the next answers where one cannot, and it is seen who did."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from dialtone.bus import WorkError
from dialtone.gateway.core.context import LLM
from dialtone.gateway.core.context import Limits as GatewayLimits
from dialtone.llm import listed, metrics
from dialtone.llm.answer import Event
from dialtone.llm.listed import answered
from dialtone.llm.registry import ModelRegistry
from dialtone.llm.service import make_registry
from dialtone.llm.settings import LlmSettings
from dialtone.v1.turn_pb2 import LlmTurn, TextDelta, ToolCallDelta
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.lists import first_that_can
from tests.fixtures.chat_answers import TEXT
from tests.fixtures.chat_dialects import DONE
from tests.fixtures.chat_server import API_KEY, ChatServer, Cut, Reply, sse
from tests.llm.conversations import calls_of, done_of, read, read_until_failure, text_of, turn

_BREAKER = {"breaker_failures": 2, "retries": 0}


@asynccontextmanager
async def _registry(chat_server: ChatServer, **first: object) -> AsyncIterator[ModelRegistry]:
    """`voice` is `first`, then `second`: two models of the chat server, each of a dialect of its own."""
    one = {
        "backend": "openai",
        "base_url": chat_server.url_of("vllm", "/v1"),
        "model": "m1",
        "api_key": API_KEY,
    }
    two = {**one, "base_url": chat_server.url_of("qwen", "/v1"), "model": "m2"}
    models = {
        "first": {**one, "limits": _BREAKER, **first},
        "second": two,
        "mute": {**two, "model": "m3", "supports_tools": False},
        "voice": ["first", "second"],
        "handy": ["first", "mute"],
        "long": ["first", "second", "mute"],
    }
    settings = {"llm_models": json.dumps(models), "llm_default_model": "voice"}
    registry = make_registry(LlmSettings.model_validate(settings))
    yield registry
    await registry.close()


async def _events(
    registry: ModelRegistry, asked: LlmTurn, delivered: str = "", name: str = "voice"
) -> AsyncGenerator[Event, None]:
    async with aclosing(answered(registry.choose(name), asked, delivered)) as events:
        async for _, event in events:
            yield event


async def _answered(registry: ModelRegistry, asked: LlmTurn) -> list[Event]:
    return await read(_events(registry, asked))


def _by(events: list[Event]) -> list[str]:
    return [event.by.model for event in events if isinstance(event, TextDelta | ToolCallDelta)]


def _passed_over() -> float:
    return metrics.UPSTREAM.passed_over.labels("openai")._value.get()  # type: ignore[no-any-return]  # untyped


async def test_the_first_answers_and_says_so_once(chat_server: ChatServer) -> None:
    async with _registry(chat_server) as registry:
        events = await _answered(registry, turn("Hi"))
    assert text_of(events) == TEXT
    assert _by(events)[0] == "m1"
    assert not any(_by(events)[1:])
    assert [seen.body["model"] for seen in chat_server.seen] == ["m1"]


@pytest.mark.parametrize("status", [401, 404, 429, 500])
async def test_the_next_answers_what_one_refuses(chat_server: ChatServer, status: int) -> None:
    chat_server.script += [Reply([b"{}"], status, "application/json")]
    async with _registry(chat_server) as registry:
        events = await _answered(registry, turn("Hi", tools=("get_weather",)))
    assert (text_of(events), _by(events)[0]) == (TEXT, "m2")
    assert [seen.body["model"] for seen in chat_server.seen] == ["m1", "m2"]


async def test_the_next_answers_what_one_does_not_take(chat_server: ChatServer) -> None:
    async with _registry(chat_server, supports_tools=False) as registry:
        events = await _answered(registry, turn("What is the weather?", tools=("get_weather",)))
    assert [name for _, name, _ in calls_of(events)] == ["get_weather"]
    assert _by(events) == ["m2"]
    assert done_of(events)


async def test_one_whose_breaker_is_open_is_passed_over(chat_server: ChatServer) -> None:
    chat_server.script += [part for _ in range(2) for part in (Reply(status=503), _good())]
    async with _registry(chat_server) as registry:
        before = _passed_over()
        for _ in range(2):
            assert _by(await _answered(registry, turn("Hi")))[0] == "m2"
        assert _passed_over() == before
        chat_server.seen.clear()
        assert _by(await _answered(registry, turn("Hi")))[0] == "m2"
    assert [seen.body["model"] for seen in chat_server.seen] == ["m2"]
    assert _passed_over() == before + 1


def _good() -> Reply:
    return Reply([_says("Hello."), DONE])


def _says(text: str) -> bytes:
    return sse({"choices": [{"index": 0, "delta": {"content": text}}]})


@pytest.mark.parametrize(
    "trouble", [[sse({"error": {"message": "out of memory", "code": 500}})], [0.05, Cut], [5.0]]
)
async def test_an_answer_that_broke_off_is_gone_on_with_by_the_next_from_its_words(
    chat_server: ChatServer, trouble: list[bytes | float | type[Cut]]
) -> None:
    limits = {**_BREAKER, "inter_token_s": 0.3}
    chat_server.script += [
        Reply([_says("One, two,"), _says(" three,"), *trouble]),
        Reply([_says(" four."), DONE]),
    ]
    async with _registry(chat_server, limits=limits) as registry:
        events = await read(_events(registry, turn("Count to four."), "Well: "))
    assert text_of(events) == "One, two, three, four."
    assert _by(events) == ["m1", "", "m2"]
    assert done_of(events)
    assert "Well: One, two, three," in [said["content"] for said in chat_server.seen[1].body["messages"]]


async def test_the_last_that_breaks_off_leaves_it_to_another_attempt(chat_server: ChatServer) -> None:
    chat_server.script += [Reply(status=500), Reply([_says("One, two,"), 0.05, Cut])]
    async with _registry(chat_server) as registry:
        heard, failure = await read_until_failure(_events(registry, turn("Count to four.")))
    assert (text_of(heard), failure.code, failure.retryable) == ("One, two,", "upstream_cut", True)


async def test_where_there_is_another_a_server_is_not_asked_again(chat_server: ChatServer) -> None:
    chat_server.script += [Reply(status=429, headers={"retry-after": "1"}), _good()]
    async with _registry(chat_server, limits={"retries": 3}) as registry:
        assert _by(await _answered(registry, turn("Hi"))) == ["m2"]
    assert [seen.body["model"] for seen in chat_server.seen] == ["m1", "m2"]


async def test_the_last_that_takes_a_turn_is_asked_again(chat_server: ChatServer) -> None:
    chat_server.script += [Reply(status=502)]
    async with _registry(chat_server, limits={"retries": 1}) as registry:
        events = await read(_events(registry, turn("Hi", tools=("get_weather",)), name="handy"))
    assert (text_of(events), _by(events)[0]) == (TEXT, "m1")
    assert [seen.body["model"] for seen in chat_server.seen] == ["m1", "m1"]


async def test_a_failure_that_may_pass_is_told_before_a_refusal_that_lasts(chat_server: ChatServer) -> None:
    chat_server.script += [Reply(status=502)] * 2
    async with _registry(chat_server, limits={"retries": 1}) as registry:
        with pytest.raises(WorkError) as failed:
            await read(_events(registry, turn("Hi", tools=("get_weather",)), name="handy"))
    assert failed.value.code == "upstream_error"


async def test_what_the_last_finds_wrong_with_a_turn_only_when_asked_hides_no_failure() -> None:
    async def ask(one: _Choice) -> AsyncGenerator[str, None]:
        if one is first:
            raise UpstreamFailure("overloaded", "busy")
        raise WorkError("invalid_request", "its template refuses the conversation")
        yield ""

    first = _Choice()
    answers = first_that_can(
        [first, _Choice()],
        ask,
        binds=lambda _: False,
        passing_on=(WorkError,),
        told=lambda _, failure: failure,
        waits=False,
    )
    with pytest.raises(UpstreamFailure, match="busy"):
        await anext(answers)


class _Choice:
    breaker = None


async def test_what_nobody_of_a_list_takes_is_refused(chat_server: ChatServer) -> None:
    async with _registry(chat_server, supports_tools=False) as registry:
        with pytest.raises(WorkError) as failed:
            await read(_events(registry, turn("Hi", tools=("get_weather",)), name="handy"))
    assert failed.value.code == "tools_not_supported"
    assert not chat_server.seen


async def test_silent_servers_leave_time_for_the_last_of_a_list(
    chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed, "NOT_THE_LAST_S", 0.3)
    chat_server.script += [Reply([30.0]), Reply([30.0])]
    async with asyncio.timeout(5), _registry(chat_server) as registry:  # of 10 s that each has
        events = await read(_events(registry, turn("Hi"), name="long"))
    assert (text_of(events), _by(events)[0]) == (TEXT, "m3")


async def test_a_list_has_an_end_before_the_gateway_gives_it_up(
    chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert GatewayLimits().silent_s[LLM] > listed.TOGETHER_S
    monkeypatch.setattr(listed, "TOGETHER_S", 0.9)
    chat_server.script += [Reply([30.0])] * 3
    async with asyncio.timeout(5), _registry(chat_server) as registry:
        _, failure = await read_until_failure(_events(registry, turn("Hi"), name="long"))
    assert failure.code == "timeout"
    assert [seen.body["model"] for seen in chat_server.seen] == ["m1", "m2", "m3"]


async def test_of_the_last_its_failure_is_told(chat_server: ChatServer) -> None:
    chat_server.script += [Reply(status=500), Reply(status=401)]
    async with _registry(chat_server) as registry:
        with pytest.raises(WorkError) as failed:
            await _answered(registry, turn("Hi"))
    assert failed.value.code == "invalid_api_key"
    assert failed.value.message == "openai: the server answered HTTP 401 (api_key)"


async def test_a_cancelled_turn_asks_no_other(chat_server: ChatServer) -> None:
    chat_server.script += [Reply([5.0])]
    async with _registry(chat_server) as registry:
        task = asyncio.create_task(_answered(registry, turn("Hi")))
        await chat_server.until(lambda: chat_server.streaming == 1, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await chat_server.until_idle(5)
    assert len(chat_server.seen) == 1
