"""What every backend promises, whichever model answers, and whichever server with OpenAI's chat completions.

The servers are set up as docs/backends.md has it; those of its names that are in DIALECTS answer in their own
shape, and "llama.cpp" is llama.cpp's own server.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio

from dialtone.llm.backend import ChatBackend
from dialtone.llm.backends.simulated import SimulatedBackend
from dialtone.v1.turn_pb2 import TextDelta, TurnDone
from tests.fixtures.chat_dialects import DIALECTS
from tests.fixtures.chat_server import ChatServer
from tests.fixtures.kept import kept, until_no_more_than
from tests.fixtures.left import leave_two_hundred
from tests.llm.conftest import MakeHttp, http_backends
from tests.llm.conversations import calls_of, done_of, read, text_of, turn
from tests.llm.documented import Named, documented_backend, live_entries
from tests.llm.llama_cpp import llama_cpp_server

_WITH_TOOLS = [
    "openai",
    "minimax",
    *DIALECTS,
    pytest.param("local", marks=pytest.mark.models),
    *(pytest.param(name, marks=pytest.mark.live) for name in live_entries()),
]
# The code of llama.cpp is local's too, so it is asked apart from the default run, and for no call of a tool:
# it does not know the words in which so small a model calls.
_LLAMA_CPP = pytest.param("llama.cpp", marks=[pytest.mark.models, pytest.mark.chaos])
_KINDS = [*_WITH_TOOLS, _LLAMA_CPP, "simulated"]
# Each kind of code once: whose server it is makes no difference to what is left behind. The local model takes
# ten seconds for it, so it is asked apart from the default run.
_OWN = [
    "openai",
    "minimax",
    "simulated",
    pytest.param("local", marks=[pytest.mark.models, pytest.mark.chaos]),
]

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def make(chat_server: ChatServer) -> AsyncIterator[MakeHttp]:
    """As `make_http`, in the event loop of `local`."""
    async with http_backends(chat_server) as make:
        yield make


@pytest.fixture(scope="module")
def llama_cpp() -> Iterator[Mapping[str, Any]]:
    """The entry that reaches llama.cpp's own server."""
    with llama_cpp_server() as entry:
        yield entry


@pytest.fixture(params=_KINDS)
def backend(request: pytest.FixtureRequest, make: MakeHttp, chat_server: ChatServer) -> ChatBackend:
    if request.param == "simulated":
        return SimulatedBackend()
    if request.param == "local":
        local: ChatBackend = request.getfixturevalue("local")
        return local
    if request.param in DIALECTS:
        return documented_backend(make, chat_server, request.param)
    if request.param == "llama.cpp":
        members = {**request.getfixturevalue("llama_cpp")}
        return Named(make(members.pop("backend"), **members), members["model"])
    if request.param in (live := live_entries()):
        entry = live[request.param]
        return Named(make(entry.backend, entry=entry), entry.model)
    return make(request.param)


async def test_text_comes_in_pieces_and_ends_with_one_turn_done(backend: ChatBackend) -> None:
    events = await read(backend.stream(turn("What is the capital of France?")))
    done = done_of(events)
    assert done.finish_reason == TurnDone.FINISH_REASON_STOP
    assert text_of(events).strip()
    assert sum(isinstance(event, TextDelta) for event in events) > 1
    assert all(event.text for event in events if isinstance(event, TextDelta))
    assert done.usage.input_tokens > 0
    assert done.usage.output_tokens > 0


async def test_an_answer_at_its_limit_says_so(backend: ChatBackend) -> None:
    asked = turn("Tell me a story.")
    asked.max_output_tokens = 3
    events = await read(backend.stream(asked))
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_LENGTH
    assert len(text_of(events).split()) <= 3


async def test_a_reader_that_leaves_leaves_nothing_behind(backend: ChatBackend) -> None:
    async with aclosing(backend.stream(turn("Tell me a story."))) as answer:
        async for _ in answer:
            break
    task = asyncio.create_task(read(backend.stream(turn("Tell me another."))))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert text_of(await read(backend.stream(turn("Hello"))))


@pytest.mark.parametrize("backend", _OWN, indirect=True)
async def test_two_hundred_cancelled_turns_leak_nothing(
    backend: ChatBackend, chat_server: ChatServer, request: pytest.FixtureRequest
) -> None:
    short = turn("Hello")
    short.max_output_tokens = 3
    await asyncio.gather(*(read(backend.stream(short)) for _ in range(2)))
    before = kept()
    await leave_two_hundred(lambda: backend.stream(turn("Tell me a story.")), request)
    await chat_server.until_idle(5.0)
    async with asyncio.timeout(30):
        assert text_of(await read(backend.stream(short)))
    await until_no_more_than(before, connections=10)


async def test_turns_are_answered_side_by_side(backend: ChatBackend) -> None:
    answers = await asyncio.gather(*(read(backend.stream(turn(f"Count to {n}."))) for n in (2, 3)))
    assert all(text_of(events) and done_of(events) for events in answers)


async def test_a_continuation_does_not_repeat_what_was_delivered(backend: ChatBackend) -> None:
    asked = turn("What do you do?")
    asked.max_output_tokens = 24
    heard = "I can help with that. "
    events = await read(backend.stream(asked, heard))
    assert done_of(events)
    assert not text_of(events).lstrip().startswith(heard.strip())


@pytest.mark.parametrize("backend", _WITH_TOOLS, indirect=True)
async def test_a_tool_call_has_an_id_a_name_and_whole_arguments(backend: ChatBackend) -> None:
    asked = turn("What is the weather in Paris?", tools=("get_weather",))
    asked.temperature = 0
    events = await read(backend.stream(asked))
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_TOOL_CALLS
    calls = calls_of(events)
    assert {name for _, name, _ in calls} == {"get_weather"}
    assert "Paris" in calls[0][2]
    assert len({call_id for call_id, _, _ in calls}) == len(calls)


@pytest.mark.parametrize("backend", _WITH_TOOLS, indirect=True)
async def test_a_tools_result_goes_back_into_the_conversation(backend: ChatBackend) -> None:
    asked = turn("Is it warm in Paris?", tools=("get_weather",))
    call = asked.messages.add(role=3).tool_calls.add(call_id="call_1", name="get_weather")
    call.arguments = '{"city": "Paris"}'
    asked.messages.add(role=4, tool_call_id="call_1", text="It is 25 degrees and sunny.")
    asked.tool_choice = "none"
    assert text_of(await read(backend.stream(asked)))
