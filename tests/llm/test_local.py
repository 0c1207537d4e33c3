"""The local model: cached prompts, stopping, tools."""

import asyncio
import json
import os
import stat
import time
from contextlib import aclosing

import psutil
import pytest

from dialtone.bus import WorkError
from dialtone.llm.backends.local import LocalBackend
from dialtone.llm.local_loss import LocalModelLost
from dialtone.v1.turn_pb2 import Message, TurnDone
from tests.llm.conversations import calls_of, done_of, read, read_until_failure, text_of, turn
from tests.llm.local_model import local_backend

pytestmark = [pytest.mark.models, pytest.mark.timeout(300)]
IN_THE_SESSION = pytest.mark.asyncio(loop_scope="session")  # as `local` is


async def _until_it_rests(backend: LocalBackend, within_s: float) -> float:
    """Return after how long the model's process stopped computing."""
    process = psutil.Process(backend.models[0].pid)
    start = time.monotonic()
    while time.monotonic() - start < within_s:
        used = sum(process.cpu_times()[:2])
        await asyncio.sleep(0.2)
        if sum(process.cpu_times()[:2]) - used < 0.1:
            return time.monotonic() - start
    raise AssertionError("the model went on computing")


@IN_THE_SESSION
async def test_the_second_turn_of_a_call_computes_only_what_is_new(local: LocalBackend) -> None:
    question = "What is the capital of France? Answer in a whole sentence, please."
    first = await read(local.stream(turn(question)))
    assert "Paris" in text_of(first)
    second = await read(local.stream(turn(question, text_of(first), "And of Italy?")))
    usage = done_of(second).usage
    assert usage.cached_tokens >= done_of(first).usage.input_tokens - 2
    assert usage.cached_tokens < usage.input_tokens


async def test_calls_keep_their_prompts_although_there_are_fewer_slots() -> None:
    async with local_backend(parallel=1) as backend:
        topics = ["cooking pasta at home for six people", "going by train through Italy with a dog"]
        asked = [turn(f"I would like to hear all that you know about {topic}. " * 4) for topic in topics]
        answers = []
        for one in asked:
            one.max_output_tokens = 8
            answers.append(await read(backend.stream(one)))
        for one, answer in zip(asked, answers, strict=True):
            before = done_of(answer).usage.input_tokens
            one.messages.add(role=3, text=text_of(answer))
            one.messages.add(role=2, text="Go on.")
            assert done_of(await read(backend.stream(one))).usage.cached_tokens >= before - 2


@IN_THE_SESSION
async def test_a_cancelled_answer_stops_between_tokens(local: LocalBackend) -> None:
    asked = turn("Count from one to one hundred in words.")
    asked.max_output_tokens = 400
    async with aclosing(local.stream(asked)) as answer:
        heard = 0
        async for _ in answer:
            heard += 1
            if heard == 3:
                break
    assert await _until_it_rests(local, 5.0) < 1.5


async def test_a_cancelled_prompt_stops_before_it_is_computed() -> None:
    async with local_backend(context=4096) as backend:
        task = asyncio.create_task(read(backend.stream(turn("A long list of words: " + "word " * 3000))))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # Without stopping it would go on for half a minute.
        assert await _until_it_rests(backend, 10.0) < 6.0


@IN_THE_SESSION
async def test_a_continuation_goes_on_in_mid_sentence(local: LocalBackend) -> None:
    asked = turn("Count from one to ten.")
    asked.max_output_tokens = 12
    events = await read(local.stream(asked, "One, two, three, four,"))
    assert text_of(events).lower().lstrip().startswith("five")


async def test_a_conversation_beyond_the_window_is_trimmed_and_its_rest_not_computed_again() -> None:
    async with local_backend(context=384) as backend:
        texts = [f"Sentence number {number} of this conversation is here." for number in range(25)]
        asked = turn(*texts[:-2])
        asked.max_output_tokens = 4
        await read(backend.stream(asked))
        longer = turn(*texts)
        longer.max_output_tokens = 4
        usage = done_of(await read(backend.stream(longer))).usage
        assert usage.input_tokens <= 384
        assert usage.cached_tokens > usage.input_tokens / 2


@IN_THE_SESSION
async def test_a_required_tool_is_called(local: LocalBackend) -> None:
    for choice in ("required", "function:get_weather"):
        asked = turn("Tell me a joke.", tools=("get_weather", "hang_up"))
        asked.tool_choice = choice
        asked.max_output_tokens = 60
        events = await read(local.stream(asked))
        [(_, name, _)] = calls_of(events)
        assert name in ("get_weather", "hang_up") if choice == "required" else name == "get_weather"
        assert done_of(events).finish_reason == TurnDone.FINISH_REASON_TOOL_CALLS


@IN_THE_SESSION
async def test_a_call_and_its_result_make_an_answer(local: LocalBackend) -> None:
    asked = turn("What is the weather in Paris?", tools=("get_weather",))
    asked.temperature = 0
    first = await read(local.stream(asked))
    [(call_id, name, arguments)] = calls_of(first)
    assert (name, json.loads(arguments)["city"]) == ("get_weather", "Paris")
    assert text_of(first) == ""
    assert done_of(first).usage.output_tokens > 0
    message = asked.messages.add(role=Message.ROLE_ASSISTANT)
    message.tool_calls.add(call_id=call_id, name=name, arguments=arguments)
    result = "It is 21 degrees and sunny."
    asked.messages.add(role=Message.ROLE_TOOL, tool_call_id=call_id, text=result)
    second = await read(local.stream(asked))
    # The model calls the same again, and is asked for words.
    assert not calls_of(second)
    assert "sunny" in text_of(second)
    assert "{" not in text_of(second)
    assert done_of(second).finish_reason == TurnDone.FINISH_REASON_STOP
    assert done_of(second).usage.input_tokens > done_of(first).usage.input_tokens
    # Without tools in the session it may not imitate the calls that it finds there.
    del asked.tools[:]
    assert "{" not in text_of(await read(local.stream(asked)))


async def test_a_model_without_a_tool_template_refuses_tools() -> None:
    async with local_backend("smollm2-135m") as backend:
        assert text_of(await read(backend.stream(turn("Hello"))))
        with pytest.raises(WorkError, match="smollm2-135m does not support tools") as refused:
            await read(backend.stream(turn("Weather?", tools=("get_weather",))))
        assert refused.value.code == "tools_not_supported"


async def test_nobody_else_can_reach_the_model() -> None:
    def listening() -> set[int]:
        processes = [psutil.Process(), *psutil.Process().children()]
        found = [connection for process in processes for connection in process.net_connections("tcp")]
        return {connection.laddr.port for connection in found if connection.status == "LISTEN"}

    before = listening()
    async with local_backend() as backend:
        assert listening() == before
        assert backend._server is not None
        assert stat.S_IMODE(os.stat(backend._server._folder).st_mode) == 0o700
        response = await backend._server.client.get("props", headers={"Authorization": "Bearer guess"})
        assert response.status_code == 401


# --- the model's process breaks


async def test_a_turn_whose_model_crashes_can_go_on_in_the_next_process() -> None:
    async with local_backend() as backend:
        asked = turn("Count from one to one hundred in words, please, and leave none out.")
        asked.max_output_tokens = 400
        answer = backend.stream(asked)
        said = text_of([await anext(answer), await anext(answer)])
        psutil.Process(backend.models[0].pid).kill()
        heard, failure = await read_until_failure(answer)
        assert isinstance(failure, LocalModelLost)
        assert (failure.retryable, failure.alone) == (True, True)
        asked.max_output_tokens = 20
        assert text_of(await read(backend.stream(asked, said + text_of(heard))))


@pytest.mark.chaos
async def test_a_model_that_hangs_is_replaced() -> None:
    async with local_backend(hang_s=1.0) as backend:
        before = backend.models[0].pid
        psutil.Process(before).suspend()
        start = time.monotonic()
        with pytest.raises(LocalModelLost):
            await read(backend.stream(turn("What is the capital of France?")))
        assert time.monotonic() - start < 5
        assert "Paris" in text_of(await read(backend.stream(turn("What is the capital of France?"))))
        assert backend.models[0].pid != before
