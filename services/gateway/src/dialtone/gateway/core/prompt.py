"""From a conversation to what a text model is asked."""

from __future__ import annotations

import json
from collections.abc import Iterable

from dialtone.v1.turn_pb2 import LlmTurn, Message, Tool, ToolCall

from .client_events import ResponseOptions
from .items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputImage,
    Item,
    MessageItem,
)
from .session import FunctionChoice, SessionConfig

ROLES = {"system": Message.ROLE_SYSTEM, "user": Message.ROLE_USER, "assistant": Message.ROLE_ASSISTANT}


def text_of(item: MessageItem) -> str:
    """The words of a message, spoken or written."""
    parts = []
    for part in item.content:
        if isinstance(part, InputImage):
            continue
        text = part.transcript if hasattr(part, "transcript") else part.text
        if text:
            parts.append(text)
    return " ".join(parts)


def messages_of(items: Iterable[Item]) -> list[Message]:
    """The conversation as chat messages. Calls of tools that follow each other are one message, as
    the chat APIs want it; an item without words (nothing understood, nothing heard) is left out."""
    messages: list[Message] = []
    for item in items:
        if isinstance(item, MessageItem):
            images = [part.image_url for part in item.content if isinstance(part, InputImage)]
            text = text_of(item)
            if text or images:
                messages.append(Message(role=ROLES[item.role], text=text, image_urls=images))
        elif isinstance(item, FunctionCallItem):
            call = ToolCall(call_id=item.call_id, name=item.name, arguments=item.arguments)
            if not (messages and messages[-1].role == Message.ROLE_ASSISTANT):
                messages.append(Message(role=Message.ROLE_ASSISTANT))
            messages[-1].tool_calls.append(call)
        elif isinstance(item, FunctionCallOutputItem):
            messages.append(Message(role=Message.ROLE_TOOL, text=item.output, tool_call_id=item.call_id))
    return messages


def llm_turn(
    config: SessionConfig,
    options: ResponseOptions,
    items: Iterable[Item],
    *,
    response_id: str,
    default_instructions: str,
) -> LlmTurn:
    """The work of a response: its options override the session's configuration."""
    instructions = options.instructions if options.instructions is not None else config.instructions
    instructions = instructions or default_instructions
    messages = messages_of(items)
    if instructions:
        messages.insert(0, Message(role=Message.ROLE_SYSTEM, text=instructions))
    tools = config.tools if options.tools is None else options.tools
    choice = options.tool_choice or config.tool_choice
    limit = options.max_output_tokens or config.max_output_tokens
    extra = config.dialtone
    return LlmTurn(
        response_id=response_id,
        model=config.model,
        messages=messages,
        tools=[
            Tool(name=t.name, description=t.description, parameters_json=json.dumps(t.parameters))
            for t in tools
        ],
        tool_choice=f"function:{choice.name}" if isinstance(choice, FunctionChoice) else choice,
        temperature=options.temperature if options.temperature is not None else extra.temperature,
        top_p=extra.top_p,
        max_output_tokens=None if limit == "inf" else limit,
    )
