"""A conversation as every chat API takes it, whatever its client did or left undone.

The APIs refuse a tool call that is not followed at once by a result for each call, and a result without its
call; some also a conversation in which nobody speaks to the model.
"""

from collections.abc import Iterable

from dialtone.v1.turn_pb2 import Message

NO_RESULT = "(The tool has not returned a result.)"
NO_OUTPUT = "(The tool returned nothing.)"
GREET = "Hello."
GO_ON = "Go on."


def well_formed(messages: Iterable[Message]) -> list[Message]:
    """Return the conversation with each tool call right before its result, ending with what is to be
    answered.

    A call that has no result yet gets NO_RESULT, so that the model does not call again. One whose result came
    after other messages stands where the result came: the model is to answer that now. A result without a
    call is told as a user's message. Where nobody asks anything, GREET or GO_ON does.
    """
    said: list[Message] = []
    waiting: dict[str, Message] = {}  # call id -> the assistant's message in `said` that holds the call
    results: dict[int, dict[str, str]] = {}  # id of an assistant's message -> call id -> result
    calling: Message | None = None  # the message whose results may follow
    for message in messages:
        if message.role != Message.ROLE_TOOL:
            copy = Message()
            copy.CopyFrom(message)
            said.append(copy)
            calling = copy if copy.tool_calls else None
            waiting |= {call.call_id: copy for call in copy.tool_calls}
            results[id(copy)] = {}
            continue
        caller = waiting.pop(message.tool_call_id, None)
        if caller is None:
            said.append(Message(role=Message.ROLE_USER, text=f"(Result of a tool: {message.text})"))
            calling = None
        elif caller is calling:
            results[id(caller)][message.tool_call_id] = message.text
        else:
            calling = _moved(caller, message.tool_call_id, calling, said)
            results.setdefault(id(calling), {})[message.tool_call_id] = message.text
    formed: list[Message] = []
    for message in said:
        if message.role == Message.ROLE_ASSISTANT and not (message.text or message.tool_calls):
            continue  # its calls moved
        formed.append(message)
        for call in message.tool_calls:
            text = results[id(message)].get(call.call_id, NO_RESULT) or NO_OUTPUT
            formed.append(Message(role=Message.ROLE_TOOL, tool_call_id=call.call_id, text=text))
    return _with_a_question(formed)


def _moved(caller: Message, call_id: str, calling: Message | None, said: list[Message]) -> Message:
    """Move a call to the end, where its late result came: to other such calls, if these came just before."""
    call = next(call for call in caller.tool_calls if call.call_id == call_id)
    late = calling
    if late is None or late is not said[-1] or late.text:
        late = Message(role=Message.ROLE_ASSISTANT)
        said.append(late)
    late.tool_calls.append(call)
    caller.tool_calls.remove(call)
    return late


def _with_a_question(messages: list[Message]) -> list[Message]:
    """Servers differ in what they make of a last message of the assistant's, or of none at all: they continue
    it, answer nothing, or refuse."""
    spoken = [message for message in messages if message.role != Message.ROLE_SYSTEM]
    if not spoken:
        return [*messages, Message(role=Message.ROLE_USER, text=GREET)]
    if spoken[-1].role == Message.ROLE_ASSISTANT:
        return [*messages, Message(role=Message.ROLE_USER, text=GO_ON)]
    return messages
