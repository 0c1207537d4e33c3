"""From a conversation to what a text model is asked."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from dialtone.v1.turn_pb2 import LlmTurn, Message, Tool

from .chat_messages import messages_of
from .client_events import ResponseOptions
from .context import Context, Limits
from .instructions import GO_AHEAD, instructions_for
from .items import Item
from .prompt_size import fit
from .session import FunctionChoice, SessionConfig

# Chat models answer somebody. Where the conversation leaves nothing to answer, the model is asked for
# what the client wants of it: to open the call, or, with instructions of the response or after an answer
# of its own, to go on (GO_AHEAD).
OPENING = "Hello."


def llm_turn(
    config: SessionConfig,
    options: ResponseOptions,
    items: Iterable[Item],
    *,
    response_id: str,
    limits: Limits,
) -> LlmTurn:
    """The work of a response: its options override the session's configuration.

    Empty instructions are none, those of the response like those of the session. The last message is
    always one to be answered: the user's, or the result of a tool.
    """
    instructions = config.instructions if options.instructions is None else options.instructions
    messages = messages_of(items)
    if not messages or messages[-1].role not in (Message.ROLE_USER, Message.ROLE_TOOL):
        opening = options.instructions is None and not any(m.role != Message.ROLE_SYSTEM for m in messages)
        messages.append(Message(role=Message.ROLE_USER, text=OPENING if opening else GO_AHEAD))
    if told := instructions_for(instructions, messages, limits):
        messages.insert(0, Message(role=Message.ROLE_SYSTEM, text=told))
    tools = config.tools if options.tools is None else options.tools
    choice = options.tool_choice or config.tool_choice
    limit = options.max_output_tokens or config.max_output_tokens
    parallel = (
        config.parallel_tool_calls if options.parallel_tool_calls is None else options.parallel_tool_calls
    )
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
        parallel_tool_calls=None if parallel is msgspec.UNSET else parallel,
        truncation_disabled=config.truncation == "disabled",
    )


def turn_that_fits(
    context: Context, options: ResponseOptions, items: Iterable[Item], response_id: str
) -> LlmTurn | None:
    """The work of a response, without the oldest of the conversation if all of it is too much; None if
    that does not help, or may not be."""
    config, limits = context.config, context.limits
    turn = llm_turn(config, options, items, response_id=response_id, limits=limits)
    return turn if fit(turn, limits.prompt_bytes, config.truncation) else None
