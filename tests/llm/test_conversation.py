"""A conversation is put into the order that chat APIs insist on, whatever the client left undone."""

from hypothesis import given
from hypothesis import strategies as st

from dialtone.llm.conversation import GO_ON, GREET, NO_OUTPUT, NO_RESULT, well_formed
from dialtone.v1.turn_pb2 import Message

_SYSTEM = Message(role=Message.ROLE_SYSTEM, text="s")


def _user(text: str) -> Message:
    return Message(role=Message.ROLE_USER, text=text)


def _says(text: str, *calls: str) -> Message:
    message = Message(role=Message.ROLE_ASSISTANT, text=text)
    for call_id in calls:
        message.tool_calls.add(call_id=call_id, name="f", arguments="{}")
    return message


def _result(call_id: str, text: str) -> Message:
    return Message(role=Message.ROLE_TOOL, tool_call_id=call_id, text=text)


def _outline(messages: list[Message]) -> list[str]:
    names = {1: "s", 2: "u", 3: "a", 4: "t"}
    return [
        f"{names[m.role]}:{m.text}" + "".join(f"+{call.call_id}" for call in m.tool_calls) for m in messages
    ]


def test_calls_with_their_results_are_left_alone() -> None:
    said = [_SYSTEM, _user("q"), _says("ok", "a", "b"), _result("a", "1"), _result("b", "2")]
    assert well_formed(said) == said
    assert well_formed([*said, _says("done"), _user("q2")]) == [*said, _says("done"), _user("q2")]


def test_results_stand_in_the_order_of_their_calls() -> None:
    formed = well_formed([_user("q"), _says("", "a", "b"), _result("b", "2"), _result("a", "1")])
    assert _outline(formed) == ["u:q", "a:+a+b", "t:1", "t:2"]


def test_a_call_that_was_never_answered_gets_a_result_that_says_so() -> None:
    formed = well_formed([_user("q"), _says("", "a"), _user("hello?")])
    assert _outline(formed) == ["u:q", "a:+a", f"t:{NO_RESULT}", "u:hello?"]
    half = well_formed([_user("q"), _says("", "a", "b"), _result("b", "2")])
    assert _outline(half) == ["u:q", "a:+a+b", f"t:{NO_RESULT}", "t:2"]


def test_a_call_with_a_late_result_stands_where_the_result_came() -> None:
    said = [_user("q"), _says("", "a"), _user("meanwhile"), _says("yes"), _result("a", "1")]
    assert _outline(well_formed(said)) == ["u:q", "u:meanwhile", "a:yes", "a:+a", "t:1"]


def test_late_results_of_one_turn_are_one_answer() -> None:
    said = [_user("q"), _says("ok", "a", "b", "c"), _result("b", "2"), _user("m"), _says("yes")]
    formed = well_formed([*said, _result("a", "1"), _result("c", "3")])
    assert _outline(formed) == ["u:q", "a:ok+b", "t:2", "u:m", "a:yes", "a:+a+c", "t:1", "t:3"]


def test_a_result_without_its_call_is_told_by_the_user() -> None:
    assert _outline(well_formed([_user("q"), _result("x", "1")])) == ["u:q", "u:(Result of a tool: 1)"]


def test_the_same_id_may_be_used_in_every_turn() -> None:
    said = [_user("q"), _says("", "a"), _result("a", "1"), _user("r"), _says("", "a"), _result("a", "2")]
    assert well_formed(said) == said


def test_an_empty_result_has_words() -> None:
    assert well_formed([_user("q"), _says("", "a"), _result("a", "")])[-1].text == NO_OUTPUT


def test_somebody_always_asks() -> None:
    assert _outline(well_formed([_SYSTEM])) == ["s:s", f"u:{GREET}"]
    assert _outline(well_formed([_user("q"), _says("a")]))[-1] == f"u:{GO_ON}"


_ids = st.sampled_from("abc")
_messages = st.one_of(
    st.just(_user("u")),
    st.just(_SYSTEM),
    st.lists(_ids, max_size=3, unique=True).map(lambda ids: _says("x", *ids)),
    st.lists(_ids, min_size=1, max_size=3, unique=True).map(lambda ids: _says("", *ids)),
    _ids.map(lambda call_id: _result(call_id, "r")),
)


@given(said=st.lists(_messages, max_size=14))
def test_every_call_is_followed_by_its_results_and_every_result_has_its_call(said: list[Message]) -> None:
    before = [message.SerializeToString() for message in said]
    formed = well_formed(said)
    assert [message.SerializeToString() for message in said] == before
    expected: list[str] = []
    for message in formed:
        if message.role == Message.ROLE_TOOL:
            assert message.tool_call_id == expected.pop(0)
            assert message.text
        else:
            assert not expected
            expected = [call.call_id for call in message.tool_calls]
            assert message.text or message.tool_calls
    assert not expected
    assert formed[-1].role in (Message.ROLE_USER, Message.ROLE_TOOL, Message.ROLE_SYSTEM)
    assert sum(m.text == "r" or m.text.endswith(": r)") for m in formed) == sum(m.role == 4 for m in said)
