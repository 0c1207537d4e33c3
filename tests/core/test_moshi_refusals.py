"""What a client cannot ask of Moshi is refused by name, and the call goes on."""

from __future__ import annotations

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import InputText, MessageItem
from dialtone.gateway.core.session import SessionConfig

from .harness import Rig
from .moshi_calls import MOSHI, moshi_of, says, transcripts


@pytest.mark.parametrize(
    ("patch", "param"),
    [
        ({"instructions": "Be kind."}, "session.instructions"),
        ({"tools": [{"type": "function", "name": "look_up"}]}, "session.tools"),
        ({"tool_choice": "required"}, "session.tool_choice"),
        ({"output_modalities": ["text"]}, "session.output_modalities"),
        ({"max_output_tokens": 10}, "session.max_output_tokens"),
        ({"audio": {"output": {"voice": "ash"}}}, "session.audio.output.voice"),
        ({"audio": {"output": {"speed": 1.5}}}, "session.audio.output.speed"),
        ({"dialtone": {"temperature": 1}}, "session.dialtone.temperature"),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}},
            "session.audio.input.turn_detection.create_response",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}}},
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
    ],
)
def test_what_moshi_cannot_do_is_refused_by_name_and_the_rest_applies(
    patch: dict[str, object], param: str
) -> None:
    rig = Rig(MOSHI)
    rig.feed(ask.UpdateSession(patch={**patch, "tracing": "auto"}, event_id="mine"))
    (error,) = rig.of(out.Error)
    assert (error.error.code, error.error.param) == ("not_supported_by_model", param)
    assert error.error.event_id == "mine"
    assert rig.of(out.SessionUpdated)[0].config.tracing == "auto"
    bounded = rig.call.config
    assert (bounded.instructions, bounded.tools, bounded.audio.output.voice) == ("", [], "moshi")


def test_what_is_as_it_is_may_be_said_again() -> None:
    rig = Rig(MOSHI)
    patch = {"instructions": "", "tools": [], "tool_choice": "auto", "max_output_tokens": "inf"}
    rig.feed(ask.UpdateSession(patch={**patch, "audio": {"output": {"voice": "moshi"}}, "model": "gpt-x"}))
    assert not rig.errors()


def test_requests_that_moshi_cannot_fulfil_are_refused_and_the_call_goes_on() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    rig.feed(ask.CreateResponse(event_id="r"))
    rig.feed(ask.CreateItem(item=MessageItem("", "user", [InputText("Hello.")]), event_id="i"))
    rig.feed(ask.CommitAudio(event_id="c"))
    assert rig.errors() == [
        "response_create_not_supported",
        "not_supported_by_model",
        "not_supported_by_model",
    ]
    assert [event.error.event_id for event in rig.of(out.Error)] == ["r", "i", "c"]
    says(worker, 1, " Still here.")
    worker.ends(1)
    assert transcripts(rig) == ["Still here."]


def test_a_stored_session_is_told_at_once_what_of_it_moshi_cannot_do() -> None:
    rig = Rig(SessionConfig(model="moshi", instructions="Be kind."))
    assert [event.error.param for event in rig.of(out.Error)] == ["session.instructions"]
    assert rig.types()[:2] == ["session.created", "error"]
    assert rig.of(out.SessionCreated)[0].config.instructions == ""


def test_a_live_session_gets_no_moshi_and_loses_none() -> None:
    chain = Rig()
    chain.feed(ask.UpdateSession(patch={"model": "moshi"}))
    assert [event.error.param for event in chain.of(out.Error)] == ["session.model"]
    assert chain.call.config.moshi is None
    rig = Rig(MOSHI)
    rig.feed(ask.UpdateSession(patch={"model": "moshi-base"}))
    assert [event.error.param for event in rig.of(out.Error)] == ["session.model"]
    assert rig.call.config.moshi == "sft"
