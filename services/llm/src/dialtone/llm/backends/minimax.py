"""MiniMax, by its own chatcompletion_v2.

What differs from OpenAI's: errors come as `base_resp` inside a 200, as plain JSON or as an event of the
stream; the stream ends with a summary whose `message` repeats the whole answer; roles of deltas may be "";
the temperature is above 0 and at most 1; the answer's limit is `max_completion_tokens`; a call of a tool can
be allowed but not demanded.
"""

from typing import Any

from dialtone.llm.abilities import Abilities
from dialtone.llm.backends.chat_http import ChatHttp
from dialtone.llm.chunks import Chunk
from dialtone.llm.model_entry import ModelEntry
from dialtone.llm.wire import chosen_tools, offered_tools, wire_tools
from dialtone.v1.turn_pb2 import LlmTurn
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.minimax import URL, failure_of

_PATH = "text/chatcompletion_v2"
_LOWEST_TEMPERATURE = 0.01
_MUST_CALL = "Answer with nothing but a call of the tool {}."


class MiniMaxBackend(ChatHttp):
    """Chat completions of MiniMax."""

    name = "minimax"
    path = _PATH
    abilities = Abilities(
        where="MiniMax, by its own chatcompletion_v2; HTTP",
        tools="yes; asked for in words where a call is demanded",
        images="`MiniMax-M3*`",
        goes_on="asked to go on",
        counts="estimated",
        key="`MINIMAX_API_KEY`",
        models="`minimax`, `MiniMax-*`, `abab*`",
    )

    def __init__(self, entry: ModelEntry) -> None:
        url = (entry.base_url or URL).rstrip("/").removesuffix(_PATH)
        super().__init__(entry, base_url=url)

    def refusal(self, chunk: Chunk) -> UpstreamFailure | None:
        status = chunk.base_resp
        if status is None or not status.status_code:
            return None
        return failure_of(status.status_code, status.status_msg)

    def request(self, turn: LlmTurn, messages: list[dict[str, Any]]) -> dict[str, Any]:
        body = super().request(turn, messages)
        if "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if "temperature" in body:
            body["temperature"] = min(1.0, max(_LOWEST_TEMPERATURE, body["temperature"]))
        body.pop("parallel_tool_calls", None)
        if offered_tools(turn) and (chosen := chosen_tools(turn)):
            # It knows no choice but auto and none: it is shown the chosen tools only, and told to call one.
            must = _MUST_CALL.format(" or ".join(tool.name for tool in chosen))
            body |= {"tools": wire_tools(chosen), "tool_choice": "auto"}
            body["messages"] = _instructed(messages, must)
        return body


def _instructed(messages: list[dict[str, Any]], instruction: str) -> list[dict[str, Any]]:
    if messages and messages[0]["role"] == "system":
        first = {**messages[0], "content": f"{messages[0]['content']}\n\n{instruction}"}
        return [first, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]
