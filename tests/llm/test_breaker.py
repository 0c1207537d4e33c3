"""A server that fails every time is let be for a while: callers are told at once, and it is found again."""

import asyncio
import time
from contextlib import suppress

import pytest
from prometheus_client import REGISTRY

from dialtone.bus import WorkError
from dialtone.llm import metrics
from dialtone.llm.limits import Limits
from dialtone.vendors.breaker import Breaker
from dialtone.vendors.failures import UpstreamFailure
from tests.contract.bus.call_side import until
from tests.fixtures.chat_answers import openai_chunk
from tests.fixtures.chat_server import ChatServer, Reply, sse
from tests.llm.conftest import MakeHttp
from tests.llm.conversations import read, text_of, turn


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _asked(breaker: Breaker, code: str = "") -> bool:
    """Whether a request was let through; with a code it fails."""
    try:
        with breaker.request():
            if code:
                raise UpstreamFailure(code, "no")
            breaker.worked()
    except UpstreamFailure as failure:
        return failure.code == code
    return True


def _open_breakers() -> float:
    return REGISTRY.get_sample_value("dialtone_llm_open_breakers", {"backend": "openai"}) or 0.0


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def breaker(clock: _Clock) -> Breaker:
    return Breaker("openai", Limits(), metrics.UPSTREAM, clock=clock)


def test_five_failures_within_ten_seconds_open_it(breaker: Breaker, clock: _Clock) -> None:
    before = _open_breakers()
    for _ in range(5):
        assert _asked(breaker, "upstream_error")
        clock.now += 2.4
    assert breaker.open
    assert not _asked(breaker)
    assert _open_breakers() == before + 1
    clock.now += 3
    assert _asked(breaker)
    assert not breaker.open
    assert _open_breakers() == before


def test_slower_ones_do_not(breaker: Breaker, clock: _Clock) -> None:
    for _ in range(20):
        assert _asked(breaker, "timeout")
        clock.now += 2.6
    assert not breaker.open


def test_an_answer_between_them_begins_the_count_anew(breaker: Breaker) -> None:
    for code in ("timeout",) * 4 + ("",) + ("timeout",) * 4:
        assert _asked(breaker, code)
    assert not breaker.open


@pytest.mark.parametrize("code", ["invalid_api_key", "rate_limited", "invalid_request", "model_not_found"])
def test_a_refusal_is_an_answer(breaker: Breaker, code: str) -> None:
    for _ in range(10):
        assert _asked(breaker, code)
    assert not breaker.open


def test_it_is_tried_by_one_request_at_a_time(breaker: Breaker, clock: _Clock) -> None:
    for _ in range(5):
        _asked(breaker, "upstream_unreachable")
    clock.now += 4.9
    assert not _asked(breaker)
    clock.now += 0.2
    with suppress(UpstreamFailure), breaker.request():
        assert not _asked(breaker), "beside the one that tries"
        raise UpstreamFailure("upstream_unreachable", "still")
    assert not _asked(breaker), "for another five seconds"
    clock.now += 5.1
    with suppress(asyncio.CancelledError), breaker.request():
        raise asyncio.CancelledError
    assert _asked(breaker), "one whose caller has gone proves nothing, and blocks nobody"
    assert not breaker.open


async def test_the_callers_of_a_server_that_is_down_are_told_at_once_and_it_is_found_again(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    backend = make_http(limits={"breaker_open_s": 0.5})
    chat_server.script += [Reply([b"{}"], 500, "application/json")] * 5
    codes = []
    for _ in range(4):
        with pytest.raises(WorkError) as failed:
            await read(backend.stream(turn("Hi")))
        codes.append(failed.value.code)
    assert codes == ["upstream_error", "upstream_error", "overloaded", "overloaded"]
    assert len(chat_server.seen) == 5  # two, two, and the one that opened it
    start = time.monotonic()
    with pytest.raises(WorkError):
        await read(backend.stream(turn("Hi")))
    assert time.monotonic() - start < 0.2
    assert len(chat_server.seen) == 5
    await asyncio.sleep(0.5)  # the server is well by now
    assert text_of(await read(backend.stream(turn("Hi"))))
    assert len(chat_server.seen) == 6


# --- the budget of a retry


async def test_a_retry_after_beyond_what_is_left_of_the_budget_is_not_waited_out(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    refusal = Reply([0.8, b"{}"], 429, "application/json", {"retry-after": "1.6"})
    chat_server.script += [refusal, Reply([sse(openai_chunk({"content": "late"}))])]
    start = time.monotonic()
    with pytest.raises(WorkError) as failed:
        await read(make_http().stream(turn("Hi")))
    assert failed.value.code == "rate_limited"
    assert time.monotonic() - start < 2
    assert len(chat_server.seen) == 1


async def test_a_server_that_answers_too_late_is_not_asked_again(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    chat_server.script += [Reply([5.0])]
    with pytest.raises(WorkError) as failed:
        await read(make_http(limits={"first_token_s": 0.3}).stream(turn("Hi")))
    assert failed.value.code == "timeout"
    await chat_server.until_idle(0.5)
    assert len(chat_server.seen) == 1


async def test_a_server_that_takes_requests_and_says_nothing_is_given_up_and_let_go(
    make_http: MakeHttp,
) -> None:
    asked: list[asyncio.Event] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(closed := asyncio.Event())
        while await reader.read(65536):
            pass
        closed.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    backend = make_http(base_url=f"http://127.0.0.1:{port}/v1", limits={"first_token_s": 0.4})
    start = time.monotonic()
    with pytest.raises(WorkError) as failed:
        await read(backend.stream(turn("Hi")))
    assert failed.value.code == "timeout"
    assert time.monotonic() - start < 1.5
    task = asyncio.create_task(read(make_http(base_url=f"http://127.0.0.1:{port}/v1").stream(turn("Hi"))))
    await until(lambda: len(asked) == 2, "the second request")
    task.cancel()
    for closed in asked:
        await asyncio.wait_for(closed.wait(), 0.5)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asked) == 2
    server.close()


async def test_a_key_that_is_refused_is_loud_and_not_tried_again(
    chat_server: ChatServer, make_http: MakeHttp, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = {"backend": "openai", "code": "invalid_api_key"}
    before = REGISTRY.get_sample_value("dialtone_llm_upstream_failures_total", labels) or 0
    with pytest.raises(WorkError) as failed:
        await read(make_http(api_key="sk-wrong-0123456789").stream(turn("Hi")))
    assert failed.value.code == "invalid_api_key"
    assert len(chat_server.seen) == 1
    assert REGISTRY.get_sample_value("dialtone_llm_upstream_failures_total", labels) == before + 1
    logged = "".join(capsys.readouterr())
    assert "error" in logged
    assert "invalid_api_key" in logged
    assert "sk-wrong" not in logged
