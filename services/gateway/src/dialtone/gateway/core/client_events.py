"""What a client can ask of a call. A dialect makes these of its wire frames.

`event_id` is the client's own name for the event; errors about the event carry it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .field_rules import FieldError
from .items import Item, ItemReference
from .session import AudioFormat, FunctionTool, ToolChoice


class ClientEvent(msgspec.Struct, kw_only=True):
    event_id: str | None = None


class UpdateSession(ClientEvent):
    """Merge `patch` (GA names, nested, partial) into the session's configuration.

    `errors` are what the dialect found wrong where it had to translate; they are answered like
    those of the merge, and the patch is without these members.
    """

    patch: dict[str, Any]
    errors: list[FieldError] = []


class AppendAudio(ClientEvent):
    audio: bytes  # in the session's input format, any length


class CommitAudio(ClientEvent):
    pass


class ClearAudio(ClientEvent):
    pass


class EndInput(ClientEvent):
    """Nothing more will be said: finish what is being recognised and answered, then close."""


class CreateItem(ClientEvent):
    item: Item  # an empty id asks for a new one
    previous_item_id: str | None = None  # "root": at the front; None: at the end
    recordings: dict[int, bytes] = {}  # by the index of their part, in the session's input format


class RetrieveItem(ClientEvent):
    item_id: str


class DeleteItem(ClientEvent):
    item_id: str


class TruncateItem(ClientEvent):
    item_id: str
    content_index: int
    audio_end_ms: int


class ResponseOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a response takes from its request instead of the session; None means the session's."""

    output_modalities: list[Literal["audio", "text"]] | None = None
    instructions: str | None = None
    output_format: AudioFormat | None = None
    voice: str | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: ToolChoice | None = None
    max_output_tokens: int | Literal["inf"] | None = None
    conversation: Literal["auto", "none"] = "auto"
    metadata: dict[str, str] | None = None
    input: list[Item | ItemReference] | None = None
    temperature: float | None = None
    parallel_tool_calls: bool | None = None


class CreateResponse(ClientEvent):
    options: ResponseOptions = ResponseOptions()


class CancelResponse(ClientEvent):
    response_id: str | None = None


class Disconnected(ClientEvent):
    """The client is gone; nothing can be sent to it any more."""


class Invalid(ClientEvent):
    """A frame that the dialect could not read: answered by an error, and the call goes on."""

    code: str
    message: str
    param: str | None = None
