"""From chunks to what the gateway is sent: text without reasoning, tool calls, and how it ended."""

from collections.abc import Sequence

from dialtone.llm.chunks import Chunk, TokenCounts
from dialtone.llm.text_filters import ControlFilter, TextFilter, ThinkFilter
from dialtone.llm.tool_calls import ToolCallAssembler
from dialtone.v1.common_pb2 import Usage
from dialtone.v1.turn_pb2 import TextDelta, ToolCallDelta, TurnDone

Delta = TextDelta | ToolCallDelta
Event = TextDelta | ToolCallDelta | TurnDone

LONGEST_ANSWER = 50_000
"""Characters; no spoken answer is longer, so a model that does not stop is stopped."""

_FINISH = {
    "length": TurnDone.FINISH_REASON_LENGTH,
    "max_tokens": TurnDone.FINISH_REASON_LENGTH,
    "tool_calls": TurnDone.FINISH_REASON_TOOL_CALLS,
    "function_call": TurnDone.FINISH_REASON_TOOL_CALLS,
    "content_filter": TurnDone.FINISH_REASON_CONTENT_FILTER,
}


class AnswerReader:
    """Reads the chunks of one answer. `filters` see the text after reasoning was taken out."""

    def __init__(self, filters: Sequence[TextFilter] = ()) -> None:
        self._filters: list[TextFilter] = [ControlFilter(), ThinkFilter(), *filters]
        self._tools = ToolCallAssembler()
        self._usage: TokenCounts | None = None
        self._finish = ""
        self._any = False
        self._length = 0

    @property
    def too_long(self) -> bool:
        return self._length > LONGEST_ANSWER

    def feed(self, chunk: Chunk) -> list[Delta]:
        if chunk.usage and chunk.usage.prompt_tokens:
            self._usage = chunk.usage
        choice = chunk.choice()
        if choice is None:
            return []
        self._finish = choice.finish_reason or self._finish
        # MiniMax sums a stream up in a last `message`: news only where nothing was streamed.
        part = choice.delta or (None if self._any else choice.message)
        if part is None:
            return []
        deltas: list[Delta] = []
        if text := part.text():
            self._any = True
            self._length += len(text)
            for text_filter in self._filters:
                text = text_filter.feed(text)
            if text:
                deltas.append(TextDelta(text=text))
        if part.tool_calls:
            self._any = True
            self._length += sum(len(str(p.function.arguments)) for p in part.tool_calls if p.function)
            deltas += self._tools.feed(part.tool_calls)
        return deltas

    def rest(self) -> list[Delta]:
        """Return what was held back, once all chunks were fed."""
        text = ""
        for text_filter in self._filters:
            text = (text_filter.feed(text) if text else "") + text_filter.flush()
        deltas: list[Delta] = [TextDelta(text=text)] if text else []
        return [*deltas, *self._tools.finish()]

    def done(self) -> TurnDone:
        """Return how the answer ended; times are left for the caller to fill in."""
        reason = _FINISH.get(self._finish, TurnDone.FINISH_REASON_STOP)
        if self.too_long:
            reason = TurnDone.FINISH_REASON_LENGTH
        elif self._tools.any and reason == TurnDone.FINISH_REASON_STOP:
            reason = TurnDone.FINISH_REASON_TOOL_CALLS
        return TurnDone(finish_reason=reason, usage=_usage(self._usage))


def _usage(counts: TokenCounts | None) -> Usage:
    if counts is None:
        return Usage()
    details = counts.prompt_tokens_details
    return Usage(
        input_tokens=max(0, counts.prompt_tokens or 0),
        cached_tokens=max(0, (details and details.cached_tokens) or 0),
        output_tokens=max(0, counts.completion_tokens or 0),
    )
