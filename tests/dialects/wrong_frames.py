"""Frames that a client of the Realtime protocol must not send: the code and the path that each is
answered by. `WRONG` are wrong in both dialects, `GA_WRONG` and `BETA_WRONG` in one."""

from __future__ import annotations

from typing import Any


def message(role: str, *content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(content), **more}


def created(item: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": item}


def respond(**options: Any) -> dict[str, Any]:
    return {"type": "response.create", "response": options}


TRUNCATE = {"type": "conversation.item.truncate", "item_id": "i"}
IMAGE = {"type": "input_image", "image_url": "http://example.com/x.png"}

PNG = "data:image/png;base64,"

Wrong = dict[str, tuple[Any, str, str | None]]

WRONG: Wrong = {
    "empty frame": ("", "invalid_json", None),
    "not JSON": ("hello", "invalid_json", None),
    "cut off": ('{"type":"response.cr', "invalid_json", None),
    "two values": ("{} {}", "invalid_json", None),
    "an array": ([], "invalid_json", None),
    "a string": ('"response.create"', "invalid_json", None),
    "a number": ("7", "invalid_json", None),
    "null": ("null", "invalid_json", None),
    "binary audio": (b"\x00\xff" * 100, "invalid_json", None),
    "invalid UTF-8": (b'{"type":"\xff"}', "invalid_json", None),
    "NaN": ('{"type":"response.create","x":NaN}', "invalid_json", None),
    "infinity": ('{"type":"response.create","x":1e999}', "invalid_json", None),
    "endless number": ('{"type":"response.create","x":' + "9" * 100_000 + "}", "invalid_json", None),
    "lone surrogate": ('{"type":"response.create","x":"\\ud800"}', "invalid_json", None),
    "lone surrogate in audio": (
        '{"type":"input_audio_buffer.append","audio":"\\udfff"}',
        "invalid_json",
        None,
    ),
    "lone surrogate in the frame": ('{"type":"\ud800"}', "invalid_json", None),
    "byte order mark": ('\ufeff{"type":"response.create"}', "invalid_json", None),
    "deep": ('{"type":"response.create","x":' + "[" * 32 + "]" * 32 + "}", "invalid_json", None),
    "deeper than the stack": ("[" * 40_000, "invalid_json", None),
    "deep in an append": (
        '{"type":"input_audio_buffer.append","x":' + "[" * 40_000 + "}",
        "invalid_json",
        None,
    ),
    "too large": ({"type": "session.update", "x": "y" * 1_100_000}, "event_too_large", None),
    "too large for images": (
        {"type": "conversation.item.create", "x": "y" * 8_400_000},
        "event_too_large",
        None,
    ),
    "large and not JSON": ('{"type":"response.create","x":' + "y" * 1_100_000, "event_too_large", None),
    "a great many members": (
        '{"type":"response.create","x":[' + "[]," * 300_000 + "[]]}",
        "event_too_large",
        None,
    ),
    "no type": ({"session": {}}, "invalid_event", "type"),
    "type is no string": ({"type": 7}, "invalid_event", "type"),
    "unknown type": ({"type": "response.begin"}, "invalid_value", "type"),
    "event id is no string": ({"type": "response.create", "event_id": 7}, "invalid_value", "event_id"),
    "event id too long": ({"type": "response.create", "event_id": "x" * 513}, "invalid_value", "event_id"),
    "append without audio": ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
    "audio is null": (
        {"type": "input_audio_buffer.append", "audio": None},
        "missing_required_parameter",
        "audio",
    ),
    "audio is a list": ({"type": "input_audio_buffer.append", "audio": [1]}, "invalid_type", "audio"),
    "audio is no base64": ({"type": "input_audio_buffer.append", "audio": "!!!!"}, "invalid_value", "audio"),
    "audio without padding": (
        {"type": "input_audio_buffer.append", "audio": "AAA"},
        "invalid_value",
        "audio",
    ),
    "audio in URL base64": ({"type": "input_audio_buffer.append", "audio": "A-_A"}, "invalid_value", "audio"),
    "audio with a line break": (
        {"type": "input_audio_buffer.append", "audio": "AAAA\n"},
        "invalid_value",
        "audio",
    ),
    "audio is not ASCII": ({"type": "input_audio_buffer.append", "audio": "ÄÄÄÄ"}, "invalid_value", "audio"),
    "update without session": ({"type": "session.update"}, "missing_required_parameter", "session"),
    "session is a list": ({"type": "session.update", "session": []}, "invalid_type", "session"),
    "no item": ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
    "item is a string": (created("x"), "invalid_type", "item"),
    "item without type": (created({"role": "user"}), "missing_required_parameter", "item.type"),
    "unknown item type": (created({"type": "memo"}), "invalid_value", "item.type"),
    "item type is a list": (created({"type": []}), "invalid_type", "item.type"),
    "reference outside a response": (
        created({"type": "item_reference", "id": "x"}),
        "invalid_value",
        "item.type",
    ),
    "item id with a space": (created(message("user", id="a b")), "invalid_value", "item.id"),
    "item id too long": (created(message("user", id="x" * 200)), "invalid_value", "item.id"),
    "no role": (created({"type": "message", "content": []}), "missing_required_parameter", "item.role"),
    "unknown role": (created(message("robot")), "invalid_value", "item.role"),
    "no content": (
        created({"type": "message", "role": "user"}),
        "missing_required_parameter",
        "item.content",
    ),
    "content is a string": (
        created({"type": "message", "role": "user", "content": "x"}),
        "invalid_type",
        "item.content",
    ),
    "part is a string": (
        created({"type": "message", "role": "user", "content": ["x"]}),
        "invalid_type",
        "item.content[0]",
    ),
    "part without type": (
        created(message("user", {"text": "x"})),
        "missing_required_parameter",
        "item.content[0].type",
    ),
    "part of another role": (
        created(message("user", {"type": "output_text", "text": "x"})),
        "invalid_value",
        "item.content[0].type",
    ),
    "part without text": (
        created(message("user", {"type": "input_text", "text": "x"}, {"type": "input_text"})),
        "missing_required_parameter",
        "item.content[1].text",
    ),
    "the assistant's audio": (
        created(message("assistant", {"type": "output_audio", "audio": "AAAA"})),
        "missing_required_parameter",
        "item.content[0].text",
    ),
    "audio of an item is no base64": (
        created(message("user", {"type": "input_audio", "audio": "!", "transcript": "x"})),
        "invalid_value",
        "item.content[0].audio",
    ),
    "audio of an own input without transcript": (
        respond(input=[message("user", {"type": "input_audio", "audio": "AAAA"})]),
        "invalid_value",
        "response.input[0].content[0].audio",
    ),
    "image without its address": (
        created(message("user", {"type": "input_image"})),
        "missing_required_parameter",
        "item.content[0].image_url",
    ),
    "image that is a number": (
        created(message("user", {**IMAGE, "image_url": 7})),
        "invalid_type",
        "item.content[0].image_url",
    ),
    "image of another kind": (
        created(message("user", {**IMAGE, "image_url": "data:image/gif;base64,R0lGODlh"})),
        "invalid_value",
        "item.content[0].image_url",
    ),
    "image that is no base64": (
        created(message("user", {**IMAGE, "image_url": PNG + "!!!!"})),
        "invalid_value",
        "item.content[0].image_url",
    ),
    "image that is none": (
        created(message("user", {**IMAGE, "image_url": PNG + "AAAA"})),
        "invalid_value",
        "item.content[0].image_url",
    ),
    "item of a remote tool": (
        created({"type": "mcp_approval_response", "approval_request_id": "a", "approve": True}),
        "invalid_value",
        "item.type",
    ),
    "clearing what a WebRTC call plays": ({"type": "output_audio_buffer.clear"}, "invalid_value", "type"),
    "image by address": (created(message("user", IMAGE)), "invalid_value", "item.content[0].image_url"),
    "call without id": (
        created({"type": "function_call", "name": "f", "arguments": "{}"}),
        "missing_required_parameter",
        "item.call_id",
    ),
    "arguments are an object": (
        created({"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}),
        "invalid_type",
        "item.arguments",
    ),
    "output is missing": (
        created({"type": "function_call_output", "call_id": "c"}),
        "missing_required_parameter",
        "item.output",
    ),
    "previous item is a number": (
        {**created(message("user")), "previous_item_id": 3},
        "invalid_type",
        "previous_item_id",
    ),
    "retrieve without item": (
        {"type": "conversation.item.retrieve"},
        "missing_required_parameter",
        "item_id",
    ),
    "delete by number": ({"type": "conversation.item.delete", "item_id": 1}, "invalid_type", "item_id"),
    "truncate without a point": (TRUNCATE, "missing_required_parameter", "audio_end_ms"),
    "truncate before the beginning": ({**TRUNCATE, "audio_end_ms": -1}, "invalid_value", "audio_end_ms"),
    "truncate far beyond": ({**TRUNCATE, "audio_end_ms": 10**30}, "invalid_value", "audio_end_ms"),
    "truncate between": ({**TRUNCATE, "audio_end_ms": 1.5}, "invalid_type", "audio_end_ms"),
    "content index is text": (
        {**TRUNCATE, "audio_end_ms": 1, "content_index": "0"},
        "invalid_type",
        "content_index",
    ),
    "response is a list": ({"type": "response.create", "response": [1]}, "invalid_type", "response"),
    "another conversation": (respond(conversation="conv_2"), "invalid_value", "response.conversation"),
    "too many pairs": (
        respond(metadata={str(i): "" for i in range(17)}),
        "invalid_value",
        "response.metadata",
    ),
    "metadata that is no text": (respond(metadata={"a": 1}), "invalid_type", "response.metadata.a"),
    "metadata too long": (respond(metadata={"a": "x" * 513}), "invalid_value", "response.metadata.a"),
    "input is an object": (respond(input={}), "invalid_type", "response.input"),
    "input with a reference to nothing": (
        respond(input=[{"type": "item_reference"}]),
        "missing_required_parameter",
        "response.input[0].id",
    ),
    "input with a remote tool": (
        respond(tools=[{"type": "mcp", "server_label": "x"}]),
        "invalid_value",
        "response.tools[0].type",
    ),
    "input with a wrong part": (
        respond(input=[message("user", {"type": "input_text", "text": 1})]),
        "invalid_type",
        "response.input[0].content[0].text",
    ),
    "cancel by number": ({"type": "response.cancel", "response_id": 1}, "invalid_type", "response_id"),
}

GA_WRONG: Wrong = {
    "both modalities": (
        respond(output_modalities=["audio", "text"]),
        "invalid_value",
        "response.output_modalities",
    ),
    "audio of a response": (respond(audio="loud"), "invalid_type", "response.audio"),
    "output of a response": (respond(audio={"output": 1}), "invalid_type", "response.audio.output"),
    "rate of a response": (
        respond(audio={"output": {"format": {"type": "audio/pcm", "rate": 8000}}}),
        "invalid_value",
        "response.audio.output.format.rate",
    ),
    "voice of a response": (
        respond(audio={"output": {"voice": 1}}),
        "invalid_type",
        "response.audio.output.voice",
    ),
    "an event of the beta protocol": (
        {"type": "transcription_session.update", "session": {}},
        "invalid_value",
        "type",
    ),
}

BETA_WRONG: Wrong = {
    "audio alone": (respond(modalities=["audio"]), "invalid_value", "response.modalities"),
    "modalities are text": (respond(modalities="text"), "invalid_type", "response.modalities"),
    "format of ga": (
        respond(output_audio_format={"type": "audio/pcm", "rate": 24000}),
        "invalid_type",
        "response.output_audio_format",
    ),
    "unknown format": (respond(output_audio_format="mp3"), "invalid_value", "response.output_audio_format"),
    "voice of a response": (respond(voice=1), "invalid_type", "response.voice"),
    "too hot": (respond(temperature=1.3), "invalid_value", "response.temperature"),
    "no tokens": (
        respond(max_response_output_tokens=0),
        "invalid_value",
        "response.max_response_output_tokens",
    ),
    "no tokens by the earlier name": (
        respond(max_output_tokens=0),
        "invalid_value",
        "response.max_output_tokens",
    ),
    "update of a transcription session without it": (
        {"type": "transcription_session.update"},
        "missing_required_parameter",
        "session",
    ),
}
