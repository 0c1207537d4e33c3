"""Conversation items as clients write them."""

from __future__ import annotations

import re
from typing import Any

import pybase64

from dialtone.gateway.core.field_rules import (
    Errors,
    json_type,
    missing,
    name,
    one_of,
    text,
    wrong_type,
    wrong_value,
)
from dialtone.gateway.core.items import (
    Content,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    ItemReference,
    MessageItem,
    OutputAudio,
    OutputText,
)

MAX_PARTS = 256
_MCP_ITEMS = ("mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response")
# Ids that a client may choose stand in logs and in keys of stores.
_ITEM_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
# How the data URI of an image begins, and the image itself.
_IMAGES = {
    "data:image/png;base64": b"\x89PNG\r\n\x1a\n",
    "data:image/jpeg;base64": b"\xff\xd8\xff",
}
_PARTS = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio", "input_image"),
    # Clients that replay a history mix the names of both dialects.
    "assistant": ("output_text", "text", "output_audio", "audio"),
}


def read_item(
    value: Any, path: str, errors: Errors, recordings: dict[int, bytes] | None = None
) -> Item | None:
    """The item at `path` of a client's event; None, and an error, if it is not one.

    Audio that has no transcript goes into `recordings`, by the index of its part; where there is none, it
    is an error.
    """
    found = len(errors)
    item = _item(value, path, errors, recordings)
    return None if len(errors) > found else item


def read_input_item(value: Any, path: str, errors: Errors) -> Item | ItemReference | None:
    """The item, or the reference to one, at `path` of a response's own input; None, and an error, if
    it is neither."""
    if isinstance(value, dict) and value.get("type") == "item_reference":
        return ItemReference(_required(value, "id", path, errors))
    return read_item(value, path, errors)


def _item(value: Any, path: str, errors: Errors, recordings: dict[int, bytes] | None) -> Item | None:
    if value is None:
        missing(errors, path)
        return None
    if not isinstance(value, dict):
        wrong_type(errors, path, "an object", value)
        return None
    item_id = _item_id(value.get("id"), f"{path}.id", errors)
    kind = value.get("type")
    if kind is None:
        missing(errors, f"{path}.type")
    elif kind == "message":
        return _message(value, item_id, path, errors, recordings)
    elif kind == "function_call":
        return FunctionCallItem(
            id=item_id,
            call_id=_required(value, "call_id", path, errors),
            name=_required(value, "name", path, errors),
            arguments=_required_text(value, "arguments", path, errors),
        )
    elif kind == "function_call_output":
        return FunctionCallOutputItem(
            id=item_id,
            call_id=_required(value, "call_id", path, errors),
            output=_required_text(value, "output", path, errors),
        )
    elif kind == "item_reference":
        wrong_value(errors, f"{path}.type", "items are referred to only in the 'input' of a response.create.")
    elif kind in _MCP_ITEMS:
        wrong_value(
            errors, f"{path}.type", "remote MCP tools are not run here, so that there is no such item."
        )
    else:
        one_of("message", "function_call", "function_call_output")(kind, None, f"{path}.type", errors)
    return None


def _item_id(value: Any, path: str, errors: Errors) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        wrong_type(errors, path, "a string", value)
    elif not _ITEM_ID.fullmatch(value):
        wrong_value(errors, path, "expected 1 to 128 letters, digits or any of '_.:-'.")
    else:
        return value
    return ""


def _required(value: dict[str, Any], member: str, path: str, errors: Errors) -> str:
    if value.get(member) is None:
        missing(errors, f"{path}.{member}")
        return ""
    return str(name(value[member], "", f"{path}.{member}", errors))


def _required_text(value: dict[str, Any], member: str, path: str, errors: Errors) -> str:
    if value.get(member) is None:
        missing(errors, f"{path}.{member}")
        return ""
    return str(text(value[member], "", f"{path}.{member}", errors))


def _message(
    value: dict[str, Any], item_id: str, path: str, errors: Errors, recordings: dict[int, bytes] | None
) -> MessageItem | None:
    if value.get("role") is None:
        missing(errors, f"{path}.role")
        return None
    role = one_of(*_PARTS)(value["role"], None, f"{path}.role", errors)
    parts = value.get("content")
    if parts is None:
        missing(errors, f"{path}.content")
    elif not isinstance(parts, list):
        wrong_type(errors, f"{path}.content", "an array", parts)
    elif len(parts) > MAX_PARTS:
        wrong_value(errors, f"{path}.content", f"expected at most {MAX_PARTS} parts.")
    elif role is not None:
        content: list[Content | None] = []
        for i, part in enumerate(parts):
            content.append(_part(part, role, f"{path}.content[{i}]", errors))
            if content[-1] == InputAudio():
                _recording(part, i, f"{path}.content[{i}].audio", errors, recordings)
        return MessageItem(id=item_id, role=role, content=[part for part in content if part is not None])
    return None


def _part(value: Any, role: str, path: str, errors: Errors) -> Content | None:
    if not isinstance(value, dict):
        wrong_type(errors, path, "an object", value)
        return None
    if value.get("type") is None:
        missing(errors, f"{path}.type")
        return None
    kind = one_of(*_PARTS[role])(value["type"], None, f"{path}.type", errors)
    if kind == "input_text":
        return InputText(_required_text(value, "text", path, errors))
    if kind == "input_audio":
        return _input_audio(value, path, errors)
    if kind == "input_image":
        return _input_image(value, path, errors)
    if kind in ("output_audio", "audio") and isinstance(value.get("transcript"), str):
        return OutputAudio(_required_text(value, "transcript", path, errors))
    if kind is not None:
        return OutputText(_required_text(value, "text", path, errors))
    return None


def _input_audio(value: dict[str, Any], path: str, errors: Errors) -> InputAudio:
    audio, transcript = value.get("audio"), value.get("transcript")
    if transcript is not None:
        transcript = text(transcript, None, f"{path}.transcript", errors)
    if audio is not None and not (isinstance(audio, str) and _is_base64(audio)):
        wrong_value(errors, f"{path}.audio", f"expected base64-encoded audio, but got {json_type(audio)}.")
    return InputAudio(transcript)


def _recording(
    part: dict[str, Any], index: int, path: str, errors: Errors, recordings: dict[int, bytes] | None
) -> None:
    """The audio of a part without a transcript, if it has any."""
    encoded = part.get("audio")
    audio = _decoded(encoded) if isinstance(encoded, str) else None
    if not audio:
        return
    if recordings is None:
        wrong_value(
            errors,
            path,
            "audio is transcribed only in items of the conversation; give its 'transcript', or add the item "
            "with conversation.item.create and refer to it.",
        )
    else:
        recordings[index] = audio


def _is_base64(value: str) -> bool:
    return _decoded(value) is not None


def _decoded(value: str) -> bytes | None:
    try:
        return pybase64.b64decode(value, validate=True)
    except ValueError:
        return None


def _input_image(value: dict[str, Any], path: str, errors: Errors) -> InputImage:
    url = value.get("image_url")
    if url is None:
        missing(errors, f"{path}.image_url")
    elif not isinstance(url, str):
        wrong_type(errors, f"{path}.image_url", "a string", url)
    else:
        _check_image(url, f"{path}.image_url", errors)
    detail = value.get("detail")
    if detail is not None:
        detail = one_of("auto", "low", "high")(detail, "auto", f"{path}.detail", errors)
    return InputImage(image_url=url if isinstance(url, str) else "", detail=detail or "auto")


def _check_image(url: str, path: str, errors: Errors) -> None:
    head, comma, data = url.partition(",")
    signature = _IMAGES.get(head)
    if signature is None or not comma:
        wrong_value(errors, path, "expected a data URI of a PNG or JPEG image.")
        return
    image = _decoded(data)
    if image is None:
        wrong_value(errors, path, "its data is not valid base64.")
    elif not image.startswith(signature):
        wrong_value(errors, path, "its data is not an image of the type that it names.")
