"""Asking for responses, and looking at what came of them."""

from typing import Any

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.items import (
    Content,
    InputText,
    MessageItem,
)
from dialtone.gateway.core.session import (
    Audio,
    AudioInput,
    FunctionTool,
    SessionConfig,
)
from dialtone.v1.turn_pb2 import Message

from .harness import Rig, Worker

MANUAL = SessionConfig(
    instructions="Be brief.",
    tools=[FunctionTool("look")],
    audio=Audio(input=AudioInput(turn_detection=None)),
)


def user(text: str, item_id: str = "") -> MessageItem:
    return MessageItem(item_id, "user", [InputText(text)])


def asked(config: SessionConfig = MANUAL, limits: Limits | None = None) -> Rig:
    rig = Rig(config, limits=limits)
    rig.feed(ask.CreateItem(item=user("Hi there.", "hi")))
    return rig


def create(rig: Rig, **options: Any) -> str:
    """Ask for a response; its id, or nothing if it was refused."""
    before = len(rig.of(out.ResponseCreated))
    rig.feed(ask.CreateResponse(event_id="mine", options=ask.ResponseOptions(**options)))
    return "".join(event.response.id for event in rig.of(out.ResponseCreated)[before:])


def beside(rig: Rig, **options: Any) -> str:
    return create(rig, conversation="none", **options)


def worker_of(rig: Rig, response_id: str) -> Worker:
    return rig.claim(next(w for w in rig.work("llm") if w.turn.response_id == response_id))


def done(rig: Rig, response_id: str) -> out.Response:
    found = [e.response for e in rig.of(out.ResponseDone) if e.response.id == response_id]
    assert len(found) == 1
    response: out.Response = found[0]
    return response


def said(response: out.Response) -> list[Content]:
    (item,) = response.output
    assert isinstance(item, MessageItem)
    return item.content


def prompt(rig: Rig) -> list[tuple[str, str]]:
    names = {Message.ROLE_SYSTEM: "system", Message.ROLE_USER: "user", Message.ROLE_ASSISTANT: "assistant"}
    return [(names.get(m.role, "tool"), m.text) for m in rig.work("llm")[-1].turn.messages]
