"""A small model's useless answer is asked for again, once, in a way that leaves it no choice."""

import json

import pytest

from dialtone.llm.chunks import Choice, Chunk, Delta, ending
from dialtone.llm.local_answer import LocalAnswer, constraint
from dialtone.v1.turn_pb2 import LlmTurn, Message
from tests.llm.conversations import turn

_PARIS = json.dumps({"name": "get_weather", "arguments": {"city": "Paris"}})
_ROME = json.dumps({"name": "get_weather", "arguments": {"city": "Rome"}})


def _asked(*, answered: bool = False) -> LlmTurn:
    asked = turn("What is the weather in Paris?", tools=("get_weather",))
    if answered:
        call = asked.messages.add(role=Message.ROLE_ASSISTANT).tool_calls.add(call_id="a", name="get_weather")
        call.arguments = '{ "city":"Paris" }'
        asked.messages.add(role=Message.ROLE_TOOL, tool_call_id="a", text="sunny")
    return asked


def _answer(asked: LlmTurn, text: str, finish: str = "stop") -> tuple[str, LocalAnswer]:
    answer = LocalAnswer(asked)
    spoken = ""
    for at in range(0, len(text), 5):
        chunk = Chunk(choices=[Choice(delta=Delta(content=text[at : at + 5]))])
        spoken += "".join(delta.text for delta in answer.reader.feed(chunk))
        answer.spoke = bool(spoken)
        if answer.enough():
            break
    answer.reader.feed(ending(finish))
    return spoken + "".join(delta.text for delta in answer.reader.rest()), answer


def _choice(again: LlmTurn | None) -> str | None:
    return again.tool_choice if again else None


@pytest.mark.parametrize(
    ("answered", "text", "finish", "calls", "again"),
    [
        (False, _PARIS, "stop", 1, None),
        (False, "It is sunny.", "stop", 0, None),
        (False, '{"name": "Joke", "arguments": {}}', "stop", 0, "none"),
        (False, '{"answer": "sunny"}', "stop", 0, "none"),
        (False, _PARIS[:-5], "stop", 0, "function:get_weather"),
        (False, f"One moment. {_PARIS[:-5]}", "stop", 0, "function:get_weather"),
        (False, 'One moment. {"name": "Joke", "arguments": {}}', "stop", 0, None),
        (False, _PARIS[:-5], "length", 0, None),
        (True, _PARIS, "stop", 0, "none"),
        (True, f"{_PARIS}\n{_ROME}", "stop", 1, None),
    ],
)
def test_what_is_asked_after_an_answer(
    answered: bool, text: str, finish: str, calls: int, again: str | None
) -> None:
    spoken, answer = _answer(_asked(answered=answered), text, finish)
    assert "{" not in spoken
    assert len(answer.calls()) == calls
    assert _choice(answer.again()) == again


def test_a_call_may_be_made_again_when_the_user_asks_again() -> None:
    asked = _asked(answered=True)
    asked.messages.add(role=Message.ROLE_ASSISTANT, text="Sunny.")
    asked.messages.add(role=Message.ROLE_USER, text="And now?")
    assert len(_answer(asked, _PARIS)[1].calls()) == 1


def test_the_model_is_stopped_as_soon_as_its_calls_are_known() -> None:
    _, answer = _answer(_asked(), f"{_PARIS}. The weather in Paris is")
    assert answer.enough()
    single = _asked()
    single.parallel_tool_calls = False
    _, answer = _answer(single, f"{_PARIS}\n{_ROME}")
    assert len(answer.calls()) == 1


def test_a_demanded_call_is_held_to_by_a_grammar_and_prose_where_calls_could_be_imitated() -> None:
    asked = _asked()
    assert constraint(asked, continues=False) == {}
    asked.tool_choice = "function:get_weather"
    schema = constraint(asked, continues=False)["response_format"]["json_schema"]["schema"]
    assert [one["properties"]["name"] for one in schema["anyOf"]] == [{"const": "get_weather"}]
    asked.tool_choice = "none"
    assert "grammar" in constraint(asked, continues=False)
    plain = turn("Hi")
    assert constraint(plain, continues=False) == {}
    imitating = _asked(answered=True)
    del imitating.tools[:]
    assert "grammar" in constraint(imitating, continues=False)
