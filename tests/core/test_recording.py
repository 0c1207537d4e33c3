"""Recordings of calls: whole ones go the same way again, others are refused by name."""

from __future__ import annotations

import re
from io import BytesIO

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import recording
from dialtone.gateway.core.items import FunctionCallItem, InputImage, InputText, ItemReference, MessageItem
from dialtone.gateway.core.recording import Cut, Unreadable, as_line, event_of, read_frames
from dialtone.gateway.core.rerun import CallRerun, Rerun

from .harness import Rig


def called() -> Rig:
    """A call with a voice turn, a tool and an interruption."""
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.answer("It is three.", "Not four.")
    rig.feed(ask.CreateResponse(event_id="mine", options=ask.ResponseOptions(conversation="none", input=[])))
    rig.take("llm").tool(0, "look_up", "{}")
    ears.started(2, 2000)
    rig.wait(30.0)
    rig.feed(ask.Disconnected())
    rig.claim(rig.work("llm")[0], 5)
    return rig


def again(lines: list[bytes]) -> list[Rerun]:
    return list(CallRerun(read_frames(BytesIO(b"".join(lines)))).steps())


def test_a_recorded_call_goes_the_same_way_again() -> None:
    rig = called()
    reruns = again(rig.recording)
    assert [rerun.difference for rerun in reruns] == [""] * (len(rig.recording) - 1)
    assert [effect for rerun in reruns for effect in rerun.effects] == rig.effects


@pytest.mark.parametrize(
    "event",
    [
        ask.UpdateSession(patch={"tools": [{"maximum": 10**30}], "x": None, "y": [1.5, "é\n"]}),
        ask.AppendAudio(audio=bytes(range(256)), event_id="e"),
        ask.CreateItem(item=FunctionCallItem("", "c", "f", '{"a": 1}'), previous_item_id="root"),
        ask.CreateItem(item=MessageItem("i", "user", [InputText("hi"), InputImage("data:,")])),
        ask.TruncateItem(item_id="i", content_index=0, audio_end_ms=2**53),
        ask.CreateResponse(options=ask.ResponseOptions(input=[ItemReference("i")], metadata={"a": "b"})),
        ask.CancelResponse(response_id="r"),
        ask.Invalid(code="invalid_json", message="no"),
        do.SubmitFailed("lease", "overloaded", "full"),
        do.BrokerSeen(False),
        do.WorkerGone("w"),
        do.Displaced(),
    ],
)
def test_every_kind_of_event_is_read_as_it_was_written(event: ask.ClientEvent) -> None:
    rig = Rig()
    rig.feed(event)
    step = list(read_frames(BytesIO(b"".join(rig.recording))))[-1]
    assert isinstance(step, recording.Step)
    assert event_of(step) == event


def test_no_kind_of_event_is_forgotten() -> None:
    assert set(ask.ClientEvent.__subclasses__()) <= set(recording._EVENTS.values())
    handled = set(Rig().call._handlers)
    assert handled == {*recording._EVENTS.values(), do.WorkerFrame}


def test_what_differs_is_found_where_it_begins() -> None:
    lines = called().recording
    at = next(i for i, line in enumerate(lines) if b'"ids":["resp' in line)
    lines[at] = re.sub(rb'"digest":"\w+"', b'"digest":"0123456789abcdef"', lines[at])
    reruns = again(lines)
    assert [bool(rerun.difference) for rerun in reruns] == [False] * (at - 1) + [True]
    assert "digest 0123456789abcdef" in reruns[-1].difference


def test_an_id_that_is_not_drawn_any_more_is_a_difference() -> None:
    lines = called().recording
    drawn = next(i for i, line in enumerate(lines) if b'"ids":["lease' in line)
    lines[drawn] = lines[drawn].replace(b'"ids":["lease', b'"ids":["item_7","lease')
    assert "drew item_7" in again(lines)[-1].difference
    lines[drawn] = re.sub(rb',"ids":\[[^\]]*\]', b"", lines[drawn])
    assert "drew none" in again(lines)[-1].difference


def test_a_call_that_broke_is_recorded_to_the_event_that_broke_it() -> None:
    class Unheard(ask.ClientEvent):
        pass

    rig = Rig()
    with pytest.raises(KeyError):
        rig.feed(Unheard())
    last = list(read_frames(BytesIO(rig.recording[0] + rig.recording[-1])))[-1]
    assert isinstance(last, recording.Step)
    assert last.raised == "KeyError"


def test_a_recording_that_ends_in_the_middle_holds_as_far_as_it_goes() -> None:
    lines = called().recording
    assert len(again([*lines[:20], lines[20][:-5]])) == 19


def test_a_cut_says_why_the_recording_ends() -> None:
    lines = called().recording
    rerun = CallRerun(read_frames(BytesIO(b"".join([*lines[:20], as_line(Cut("the disk is full"))]))))
    assert len(list(rerun.steps())) == 19
    assert rerun.cut == "the disk is full"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no recording"),
        (b"RIFF\xff\xff", "no recording"),
        (b'{"frame":"step"}\n', "no recording"),
        (
            b'{"frame":"beginning","format":"dialtone-call","version":2}\n',
            "has version 2 of its format; version 1",
        ),
        (b'{"frame":"beginning","format":"other","version":1}\n', "no recording"),
        (b'{"frame":"beginning","format":"dialtone-call","version":1}\n', "damaged"),
    ],
)
def test_what_is_no_recording_of_this_version_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        CallRerun(read_frames(BytesIO(data)))


def test_a_damaged_line_is_refused() -> None:
    lines = called().recording
    with pytest.raises(Unreadable, match="damaged"):
        again([*lines[:5], b"{}\n", *lines[5:]])
    with pytest.raises(Unreadable, match="begins twice"):
        again([lines[0], lines[0]])
