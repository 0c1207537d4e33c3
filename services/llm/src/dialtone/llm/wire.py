"""A turn in the words of the chat completions API."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from dialtone.bus import WorkError
from dialtone.llm.continuation import INSTRUCTION
from dialtone.v1.turn_pb2 import Image, LlmTurn, Message, Tool

ContinuePrefix = Literal["none", "trailing", "prefix", "partial", "vllm"]
"""How a server is told to go on from a last assistant message: it cannot; it does so unasked (llama.cpp); a
member of the message, `prefix` (DeepSeek, Mistral) or `partial` (Qwen's, Moonshot);
`continue_final_message` (vLLM, SGLang)."""

_FUNCTION = "function:"
_NO_OUTPUT = "(no output)"  # MiniMax refuses a message without content
_IMAGE = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)

_ROLES = {
    Message.ROLE_SYSTEM: "system",
    Message.ROLE_USER: "user",
    Message.ROLE_ASSISTANT: "assistant",
    Message.ROLE_TOOL: "tool",
}


def wire_message(message: Message) -> dict[str, Any]:
    """Translate one message. WorkError("invalid_request") where it has no role; "invalid_image_url" where an
    image is no data URI: a server that fetches what callers name could be sent anywhere."""
    role = _ROLES.get(message.role)
    if role is None:
        raise WorkError("invalid_request", "a message has no role")
    if role == "tool":
        return {"role": role, "tool_call_id": message.tool_call_id, "content": message.text or _NO_OUTPUT}
    if message.images:
        parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
        parts += [{"type": "image_url", "image_url": _image(image)} for image in message.images]
        return {"role": role, "content": parts}
    wired: dict[str, Any] = {"role": role, "content": message.text}
    if message.tool_calls:
        wired["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments or "{}"},
            }
            for call in message.tool_calls
        ]
    return wired


def _image(image: Image) -> dict[str, str]:
    if not _IMAGE.match(image.url):
        raise WorkError("invalid_image_url", "an image is no data URI (data:image/png;base64,...)")
    return {"url": image.url, "detail": image.detail} if image.detail else {"url": image.url}


def wire_messages(messages: Iterable[Message], delivered: str, mode: ContinuePrefix) -> list[dict[str, Any]]:
    """Translate the conversation, and what was `delivered` of its answer as an assistant's last message."""
    wired = [wire_message(message) for message in messages]
    if delivered:
        last: dict[str, Any] = {"role": "assistant", "content": delivered}
        if mode in ("prefix", "partial"):
            last[mode] = True
        wired.append(last)
        if mode == "none":
            wired.append({"role": "user", "content": INSTRUCTION})
    return wired


def wire_tools(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Translate the tools; WorkError("invalid_request") where a schema is no JSON object."""
    return [{"type": "function", "function": _function(tool)} for tool in tools]


def _function(tool: Tool) -> dict[str, Any]:
    description = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **description, "parameters": _schema(tool)}


def _schema(tool: Tool) -> dict[str, Any]:
    try:
        schema = json.loads(tool.parameters_json or "{}")
    except ValueError:
        schema = ""
    if not isinstance(schema, dict | None):
        raise WorkError("invalid_request", f"the parameters of tool {tool.name} are no JSON schema")
    return schema or {"type": "object", "properties": {}}  # MiniMax refuses an empty one


def offered_tools(turn: LlmTurn) -> Sequence[Tool]:
    """Return the tools that the model may call in this turn."""
    return () if turn.tool_choice == "none" else turn.tools


def chosen_tools(turn: LlmTurn) -> Sequence[Tool]:
    """Return the tools of which `tool_choice` demands one; none where it leaves the model the choice.

    WorkError("invalid_request") where it names a tool that there is not.
    """
    if turn.tool_choice == "required":
        return turn.tools
    if not turn.tool_choice.startswith(_FUNCTION):
        return ()
    name = turn.tool_choice.removeprefix(_FUNCTION)
    named = [tool for tool in turn.tools if tool.name == name]
    if not named:
        raise WorkError("invalid_request", f"there is no tool {name[:64]!r} to choose")
    return named


def refuse_unsupported(turn: LlmTurn, *, model: str, tools: bool, images: bool) -> None:
    """Raise WorkError, naming the model, where a turn holds what it does not take: "tools_not_supported",
    "image_input_not_supported"."""
    if offered_tools(turn) and not tools:
        raise WorkError("tools_not_supported", f"model {model} does not support tools")
    if not images and any(message.images for message in turn.messages):
        raise WorkError("image_input_not_supported", f"model {model} does not take images")


def wire_tool_choice(choice: str) -> str | dict[str, Any]:
    if choice.startswith(_FUNCTION):
        return {"type": "function", "function": {"name": choice.removeprefix(_FUNCTION)}}
    return choice or "auto"


def wire_request(turn: LlmTurn, messages: list[dict[str, Any]], *, max_tokens_field: str) -> dict[str, Any]:
    """Put the streaming request together; what the turn leaves open stays the server's choice.

    WorkError("invalid_request") where a tool's schema is none, or the chosen tool does not exist.
    """
    body: dict[str, Any] = {"model": turn.model, "messages": messages, "stream": True}
    if turn.HasField("temperature"):
        body["temperature"] = turn.temperature
    if turn.HasField("top_p"):
        body["top_p"] = turn.top_p
    if turn.HasField("max_output_tokens"):
        body[max_tokens_field] = turn.max_output_tokens
    if tools := offered_tools(turn):
        chosen_tools(turn)
        body["tools"] = wire_tools(tools)
        body["tool_choice"] = wire_tool_choice(turn.tool_choice)
        if turn.HasField("parallel_tool_calls"):
            body["parallel_tool_calls"] = turn.parallel_tool_calls
    return body
