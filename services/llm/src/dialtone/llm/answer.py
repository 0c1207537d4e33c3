"""From chunks to what the gateway is sent: text without reasoning, tool calls, and how it ended."""

from collections.abc import Sequence

from dialtone.llm.chunks import Chunk
from dialtone.llm.text_filters import ControlFilter, TextFilter, ThinkFilter
from dialtone.llm.tool_calls import ToolCall, ToolCallAssembler
from dialtone.v1.common_pb2 import Usage
from dialtone.v1.turn_pb2 import TextDelta, ToolCallDelta, TurnDone

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

_COMPLETE = {TurnDone.FINISH_REASON_STOP, TurnDone.FINISH_REASON_TOOL_CALLS}
_CUT = {TurnDone.FINISH_REASON_LENGTH, TurnDone.FINISH_REASON_CONTENT_FILTER}


class AnswerReader:
    """Reads the chunks of one answer. `filters` see the text after reasoning was taken out."""

    def __init__(self, filters: Sequence[TextFilter] = ()) -> None:
        self._filters: list[TextFilter] = [ControlFilter(), ThinkFilter(), *filters]
        self._tools = ToolCallAssembler()
        self._usage = Usage()
        self._finish = ""
        self._any = False
        self._length = 0

    @property
    def too_long(self) -> bool:
        return self._length > LONGEST_ANSWER

    @property
    def cut(self) -> bool:
        """Whether the answer ended before the model had finished it."""
        return self.too_long or _FINISH.get(self._finish) in _CUT

    def feed(self, chunk: Chunk) -> list[TextDelta]:
        if usage := _usage(chunk):
            self._usage = usage
        choice = chunk.choice()
        if choice is None:
            return []
        self._finish = choice.finish_reason or self._finish
        # MiniMax sums a stream up in a last `message`: news only where nothing was streamed.
        part = choice.delta or (None if self._any else choice.message)
        if part is None:
            return []
        deltas: list[TextDelta] = []
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
            self._tools.feed(part.tool_calls)
        return deltas

    def rest(self) -> list[TextDelta]:
        """Return what was held back of the text, once all chunks were fed."""
        text = ""
        for text_filter in self._filters:
            text = (text_filter.feed(text) if text else "") + text_filter.flush()
        return [TextDelta(text=text)] if text else []

    def calls(self) -> list[ToolCall]:
        """Return the calls that came as such, once all chunks were fed. WorkError("bad_tool_call")."""
        return self._tools.calls(cut=self.cut)

    def done(self, *, calls: bool) -> TurnDone:
        """Return how an answer with or without `calls` ended; times are left for the caller to fill in."""
        reason = _FINISH.get(self._finish, TurnDone.FINISH_REASON_STOP)
        if self.too_long:
            reason = TurnDone.FINISH_REASON_LENGTH
        elif reason in _COMPLETE:
            reason = TurnDone.FINISH_REASON_TOOL_CALLS if calls else TurnDone.FINISH_REASON_STOP
        return TurnDone(finish_reason=reason, usage=self._usage)


def _usage(chunk: Chunk) -> Usage | None:
    """Return a chunk's token counts, whichever words its server has for them; some say 0 until the end."""
    counts = chunk.usage
    if counts is None or not (counts.prompt_tokens or counts.completion_tokens):
        return _progress(chunk)
    details = counts.prompt_tokens_details
    cached = (details and details.cached_tokens) or counts.prompt_cache_hit_tokens or counts.cached_tokens
    return Usage(
        input_tokens=max(0, counts.prompt_tokens or 0),
        cached_tokens=max(0, cached or 0),
        output_tokens=max(0, counts.completion_tokens or 0),
        image_tokens=max(0, (details and details.image_tokens) or 0),
    )


def _progress(chunk: Chunk) -> Usage | None:
    so_far = chunk.timings
    if so_far is None:
        return None
    return Usage(
        input_tokens=max(0, so_far.cache_n) + max(0, so_far.prompt_n),
        cached_tokens=max(0, so_far.cache_n),
        output_tokens=max(0, so_far.predicted_n),
    )
