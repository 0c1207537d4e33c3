"""Items of a conversation, in the shape of the GA Realtime protocol.

Items are values: a change makes a new one. A part that a client's parser requires is always
written (an `input_audio` part has its `transcript`, null until known); nothing else is null.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .session import SessionConfig

Status = Literal["in_progress", "completed", "incomplete"]


class InputText(msgspec.Struct, frozen=True, tag_field="type", tag="input_text"):
    text: str


class InputAudio(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio"):
    """What the user said; the audio itself is not kept."""

    transcript: str | None = None


class InputImage(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="input_image"):
    image_url: str
    detail: Literal["auto", "low", "high"] = "auto"


class OutputText(msgspec.Struct, frozen=True, tag_field="type", tag="output_text"):
    text: str


class OutputAudio(msgspec.Struct, frozen=True, tag_field="type", tag="output_audio"):
    transcript: str


Content = InputText | InputAudio | InputImage | OutputText | OutputAudio


class MessageItem(msgspec.Struct, frozen=True, tag_field="type", tag="message"):
    id: str
    role: Literal["system", "user", "assistant"]
    content: list[Content]
    status: Status = "completed"
    object: str = "realtime.item"


class FunctionCallItem(msgspec.Struct, frozen=True, tag_field="type", tag="function_call"):
    id: str
    call_id: str
    name: str
    arguments: str  # JSON text
    status: Status = "completed"
    object: str = "realtime.item"


class FunctionCallOutputItem(msgspec.Struct, frozen=True, tag_field="type", tag="function_call_output"):
    id: str
    call_id: str
    output: str
    status: Status = "completed"
    object: str = "realtime.item"


Item = MessageItem | FunctionCallItem | FunctionCallOutputItem


class ItemReference(msgspec.Struct, frozen=True, tag_field="type", tag="item_reference"):
    """Stands for an item of the conversation in a response's own input."""

    id: str


class SessionRecord(msgspec.Struct):
    """What is stored of a session."""

    id: str
    tenant: str
    created_at: float  # unix seconds
    config: SessionConfig
    items: list[Item] = []
    epoch: int = 0  # the highest of the calls' claims that it has seen
