"""Session fields that a call's client may not change."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.client_events import ResponseOptions
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.locks import LOCKABLE
from dialtone.gateway.core.session import PCM_24K, AudioFormat, FunctionTool, SessionConfig

from .harness import Rig

CONFIG = SessionConfig(instructions="Be brief.", tools=[FunctionTool("look_up")])
TOOL = {"type": "function", "name": "look_up", "description": "", "parameters": {}}
OTHER_TOOL = FunctionTool("pay")
G711 = AudioFormat("audio/pcmu")


def locked(*names: str) -> Rig:
    return Rig(CONFIG, limits=Limits(locked=names))


def told(rig: Rig) -> list[tuple[str | None, str | None]]:
    return [(event.error.code, event.error.param) for event in rig.of(out.Error)]


UPDATES: list[tuple[str, dict[str, Any], str]] = [
    ("instructions", {"instructions": "Obey me."}, "instructions"),
    ("instructions", {"instructions": ""}, "instructions"),
    ("tools", {"tools": []}, "tools"),
    ("tools", {"tools": [TOOL | {"name": "pay"}]}, "tools"),
    ("tool_choice", {"tool_choice": {"type": "function", "name": "look_up"}}, "tool_choice"),
    ("model", {"model": "a-dearer-one"}, "model"),
    ("max_output_tokens", {"max_output_tokens": 5}, "max_output_tokens"),
    ("audio", {"audio": {"output": {"voice": "cedar"}}}, "audio.output.voice"),
    ("audio.output", {"audio": {"output": {"voice": "cedar"}}}, "audio.output.voice"),
    ("audio.output.voice", {"audio": {"output": {"voice": "cedar"}}}, "audio.output.voice"),
    ("audio.input", {"audio": {"input": {"turn_detection": None}}}, "audio.input.turn_detection"),
    ("dialtone", {"dialtone": {"temperature": 1.5}}, "dialtone.temperature"),
    ("dialtone.temperature", {"dialtone": {"temperature": 1.5}}, "dialtone.temperature"),
]


@pytest.mark.parametrize(("name", "patch", "param"), UPDATES, ids=[f"{u[0]}-{u[2]}" for u in UPDATES])
def test_an_update_of_a_locked_field_is_refused_whole_and_the_call_goes_on(
    name: str, patch: dict[str, Any], param: str
) -> None:
    rig = locked(name)
    rig.feed(ask.UpdateSession(patch={**patch, "output_modalities": ["text"]}, event_id="mine"))
    assert told(rig) == [("field_locked", f"session.{param}")]
    error = rig.of(out.Error)[0].error
    assert f"'session.{param}'" in error.message
    assert error.event_id == "mine"
    assert rig.call.config == CONFIG
    assert not rig.of(out.SessionUpdated)
    assert not [effect for effect in rig.effects if isinstance(effect, do.PutConfig)]
    rig.feed(ask.UpdateSession(patch={"output_modalities": ["text"]}))  # which is open to it
    assert rig.call.config.output_modalities == ["text"]
    rig.feed(ask.CreateResponse())
    assert rig.work("llm")[0].turn.messages[0].text == "Be brief."


@pytest.mark.parametrize(
    ("patch", "param"), [u[1:] for u in UPDATES], ids=[f"{u[0]}-{u[2]}" for u in UPDATES]
)
def test_what_is_not_locked_is_changed(patch: dict[str, Any], param: str) -> None:
    rig = locked(*(path for path in LOCKABLE if not param.startswith(path)))
    rig.feed(ask.UpdateSession(patch=patch))
    assert told(rig) == []
    assert rig.of(out.SessionUpdated)


def test_each_locked_field_of_an_update_is_named() -> None:
    rig = locked("instructions", "tools", "audio")
    rig.feed(
        ask.UpdateSession(patch={"instructions": "No.", "tools": [], "audio": {"output": {"speed": 1.5}}})
    )
    assert {param for _, param in told(rig)} == {
        "session.instructions",
        "session.tools",
        "session.audio.output.speed",
    }


def test_an_update_to_what_a_locked_field_is_already_may_pass() -> None:
    rig = locked(*LOCKABLE)
    same = msgspec.to_builtins(CONFIG)
    rig.feed(ask.UpdateSession(patch={"instructions": "Be brief.", "tools": [TOOL], "model": "default"}))
    rig.feed(ask.UpdateSession(patch=same))
    assert told(rig) == []
    assert len(rig.of(out.SessionUpdated)) == 2


def test_a_wrong_value_for_a_locked_field_is_the_error_that_it_is_and_changes_nothing() -> None:
    rig = locked("tools")
    rig.feed(ask.UpdateSession(patch={"tools": 5}))
    assert told(rig) == [("invalid_type", "session.tools")]
    assert rig.call.config == CONFIG


OPTIONS: list[tuple[str, ResponseOptions, str]] = [
    ("instructions", ResponseOptions(instructions="Obey me."), "instructions"),
    ("tools", ResponseOptions(tools=[OTHER_TOOL]), "tools"),
    ("tools", ResponseOptions(tools=[]), "tools"),
    ("tool_choice", ResponseOptions(tool_choice="required"), "tool_choice"),
    ("output_modalities", ResponseOptions(output_modalities=["text"]), "output_modalities"),
    ("max_output_tokens", ResponseOptions(max_output_tokens=9), "max_output_tokens"),
    ("parallel_tool_calls", ResponseOptions(parallel_tool_calls=True), "parallel_tool_calls"),
    ("audio.output.voice", ResponseOptions(voice="cedar"), "audio.output.voice"),
    ("audio", ResponseOptions(output_format=G711), "audio.output.format"),
    ("dialtone", ResponseOptions(temperature=1.5), "temperature"),
]


@pytest.mark.parametrize(("name", "options", "param"), OPTIONS, ids=[o[2] for o in OPTIONS])
@pytest.mark.parametrize("conversation", ["auto", "none"])
def test_nor_is_a_locked_field_otherwise_in_one_response(
    name: str, options: ResponseOptions, param: str, conversation: Any
) -> None:
    options = msgspec.structs.replace(options, conversation=conversation)
    rig = locked(name)
    rig.feed(ask.CreateResponse(options=options, event_id="mine"))
    assert told(rig) == [("field_locked", f"response.{param}")]
    assert rig.of(out.Error)[0].error.event_id == "mine"
    assert not rig.work("llm")
    assert not rig.of(out.ResponseCreated)
    rig.feed(ask.CreateResponse())
    assert rig.work("llm")
    free = locked(*(path for path in LOCKABLE if path not in ("audio", "audio.output", "dialtone", name)))
    if name not in ("audio", "dialtone"):
        free.feed(ask.CreateResponse(options=options))
        assert told(free) == []


def test_a_response_with_what_the_session_has_is_given() -> None:
    rig = locked(*LOCKABLE)
    same = ResponseOptions(instructions="Be brief.", tools=CONFIG.tools, voice="alloy", output_format=PCM_24K)
    rig.feed(ask.CreateResponse(options=same))
    assert told(rig) == []
    assert rig.work("llm")


def test_every_option_of_a_response_that_a_session_has_can_be_locked() -> None:
    own = {"conversation", "metadata", "input"}  # no session has these
    assert {param for _, _, param in OPTIONS} == {
        {"voice": "audio.output.voice", "output_format": "audio.output.format"}.get(option, option)
        for option in ResponseOptions.__struct_fields__
        if option not in own
    }
