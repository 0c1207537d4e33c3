"""A turn in the words of the chat completions API."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from dialtone.bus import WorkError
from dialtone.llm.continuation import INSTRUCTION
from dialtone.v1.turn_pb2 import LlmTurn, Message, Tool

ContinuePrefix = Literal["none", "trailing", "prefix", "vllm"]
"""How a server is told to go on from a last assistant message: it cannot; it does so unasked (llama.cpp); a
`prefix` member of the message (DeepSeek, Mistral); `continue_final_message` (vLLM, SGLang)."""

_ROLES = {
    Message.ROLE_SYSTEM: "system",
    Message.ROLE_USER: "user",
    Message.ROLE_ASSISTANT: "assistant",
    Message.ROLE_TOOL: "tool",
}


def wire_message(message: Message) -> dict[str, Any]:
    """Translate one message; WorkError("invalid_request") where it has no role."""
    role = _ROLES.get(message.role)
    if role is None:
        raise WorkError("invalid_request", "a message has no role")
    if role == "tool":
        return {"role": role, "tool_call_id": message.tool_call_id, "content": message.text}
    if message.image_urls:
        parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
        parts += [{"type": "image_url", "image_url": {"url": url}} for url in message.image_urls]
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


def wire_messages(messages: Iterable[Message], delivered: str, mode: ContinuePrefix) -> list[dict[str, Any]]:
    """Translate the conversation, and what was `delivered` of its answer as an assistant's last message."""
    wired = [wire_message(message) for message in messages]
    if delivered:
        last: dict[str, Any] = {"role": "assistant", "content": delivered}
        if mode == "prefix":
            last["prefix"] = True
        wired.append(last)
        if mode == "none":
            wired.append({"role": "user", "content": INSTRUCTION})
    return wired


def wire_tools(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Translate the tools; WorkError("invalid_request") where a schema is no JSON object."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": _schema(tool)},
        }
        for tool in tools
    ]


def _schema(tool: Tool) -> dict[str, Any]:
    try:
        schema = json.loads(tool.parameters_json or '{"type": "object", "properties": {}}')
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise WorkError("invalid_request", f"the parameters of tool {tool.name} are no JSON schema")
    return schema


def offered_tools(turn: LlmTurn) -> Sequence[Tool]:
    """Return the tools that the model may call in this turn."""
    return () if turn.tool_choice == "none" else turn.tools


def wire_tool_choice(choice: str) -> str | dict[str, Any]:
    if name := choice.removeprefix("function:") if choice.startswith("function:") else "":
        return {"type": "function", "function": {"name": name}}
    return choice or "auto"


def wire_request(turn: LlmTurn, messages: list[dict[str, Any]], *, max_tokens_field: str) -> dict[str, Any]:
    """Put the streaming request together; what the turn leaves open stays the server's choice."""
    body: dict[str, Any] = {"model": turn.model, "messages": messages, "stream": True}
    if turn.HasField("temperature"):
        body["temperature"] = turn.temperature
    if turn.HasField("top_p"):
        body["top_p"] = turn.top_p
    if turn.HasField("max_output_tokens"):
        body[max_tokens_field] = turn.max_output_tokens
    if tools := offered_tools(turn):
        body["tools"] = wire_tools(tools)
        body["tool_choice"] = wire_tool_choice(turn.tool_choice)
        if turn.HasField("parallel_tool_calls"):
            body["parallel_tool_calls"] = turn.parallel_tool_calls
    return body
