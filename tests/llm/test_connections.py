"""Turns that nobody wants any more: their connections are closed at once, and others are used again."""

import asyncio
import gc
import random
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import pytest

from tests.fixtures.chat_answers import openai_chunk
from tests.fixtures.chat_server import ChatServer, Cut, Reply, sse
from tests.llm.conftest import MakeHttp
from tests.llm.conversations import read, read_until_failure, text_of, turn


def _text(*words: str) -> list[bytes | float | type[Cut]]:
    return [sse(openai_chunk({"content": word})) for word in words]


async def test_a_cancelled_turn_closes_its_connection_at_once(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    for parts in ([30.0], [*_text("Hello"), 30.0], _text("la ")):
        chat_server.script += [Reply(parts, forever=True)]
        task = asyncio.create_task(read(make_http().stream(turn("Hi"))))
        await chat_server.until(lambda: bool(chat_server.streaming), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await chat_server.until_idle(0.5)


async def test_two_hundred_cancelled_turns_leak_no_connection(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    backend = make_http(connections=10)

    async def cancelled(after_s: float) -> None:
        task = asyncio.create_task(read(backend.stream(turn("Hi"))))
        await asyncio.sleep(after_s)
        task.cancel()
        await asyncio.wait({task})

    moments = random.Random(7)
    for _ in range(20):  # while connecting, waiting, in mid-answer, and about its end
        await asyncio.gather(*(cancelled(moments.uniform(0, 0.1)) for _ in range(10)))
    await chat_server.until_idle(2)
    # One that is lost is waited for by later turns, until there are none left.
    pool = backend._client._transport._pool  # type: ignore[attr-defined]  # httpx2 does not tell otherwise
    await chat_server.until(lambda: all(c.is_idle() for c in pool.connections), 2)
    answers = await asyncio.gather(*(read(backend.stream(turn("Hi"))) for _ in range(10)))
    assert all(text_of(events) for events in answers)


@contextmanager
def _left_to_the_collector() -> Iterator[list[str]]:
    """The names of generators that nobody closed inside the block."""
    before = sys.get_asyncgen_hooks()
    finish = before.finalizer
    assert finish is not None
    left: list[str] = []

    def collected(generator: AsyncGenerator[object, object]) -> None:
        left.append(getattr(generator, "__qualname__", ""))
        finish(generator)

    sys.set_asyncgen_hooks(finalizer=collected)
    try:
        yield left
        gc.collect()
    finally:
        sys.set_asyncgen_hooks(*before)


async def test_an_answer_that_is_left_in_its_middle_is_closed_there_and_then(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    chat_server.script += [Reply([*_text("Hello"), sse({"error": {"message": "no"}}), *_text(" there.")])]
    with _left_to_the_collector() as left:
        await read_until_failure(make_http().stream(turn("Hi")))
    assert not [name for name in left if name.startswith("Response.")]  # httpcore leaves one of its own


async def test_so_is_one_whose_caller_goes(chat_server: ChatServer, make_http: MakeHttp) -> None:
    chat_server.script += [Reply([*_text("Hello"), 5.0])]
    with _left_to_the_collector() as left:
        answer = make_http().stream(turn("Hi"))
        await anext(answer)
        await answer.aclose()
        del answer
    assert not [name for name in left if name.startswith(("read_answer", "ChunkStream.", "Response."))]


async def test_connections_are_used_again(make_http: MakeHttp) -> None:
    backend = make_http(connections=1)
    for _ in range(3):
        await read(backend.stream(turn("Hi")))
    pool = backend._client._transport._pool  # type: ignore[attr-defined]  # httpx2 does not tell otherwise
    assert len(pool.connections) == 1
