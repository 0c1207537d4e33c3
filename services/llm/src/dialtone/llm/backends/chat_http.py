"""What the backends have in common that speak chat completions over HTTP."""

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from dialtone.llm import metrics
from dialtone.llm.abilities import Abilities
from dialtone.llm.answer import AnswerReader, Event
from dialtone.llm.backend import read_answer
from dialtone.llm.chunk_stream import ChunkStream
from dialtone.llm.chunks import Chunk
from dialtone.llm.context import estimate_tokens, prompt_budget, trim
from dialtone.llm.continuation import OverlapFilter
from dialtone.llm.model_entry import ModelEntry, with_defaults
from dialtone.llm.tool_calls import bad_tool_call, call_deltas
from dialtone.llm.wire import offered_tools, refuse_unsupported, wire_messages, wire_request
from dialtone.llm.written_calls import WrittenCalls
from dialtone.v1.turn_pb2 import LlmTurn
from dialtone.vendors.breaker import Breaker
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.http import bearer, new_client, without_secret


class ChatHttp:
    """A server's models. Subclasses say where to post, and what its requests and refusals look like."""

    name: str
    abilities: Abilities
    path: str

    def __init__(self, entry: ModelEntry, *, base_url: str) -> None:
        self._entry = entry
        self._key = key = entry.key()
        self._client = new_client(
            base_url,
            bearer(key) if key else {},
            connect_s=entry.limits.connect_s,
            connections=entry.connections,
        )
        self._stream = ChunkStream(
            self._client, backend=self.name, limits=entry.limits, refusal=self._refusal, secret=key
        )

    def refusal(self, chunk: Chunk) -> UpstreamFailure | None:
        """Find an error of the server's own kind inside a chunk; OpenAI's has none."""
        del chunk
        return None

    def _refusal(self, chunk: Chunk) -> UpstreamFailure | None:
        failure = self.refusal(chunk)
        if failure is not None:
            failure.detail = without_secret(failure.detail, self._key)
        return failure

    def request(self, turn: LlmTurn, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the request's body."""
        body = wire_request(turn, messages, max_tokens_field=self._entry.max_tokens_field)
        if self._entry.stream_usage:
            body["stream_options"] = {"include_usage": True}
        return body | self._entry.extra_body

    @property
    def breaker(self) -> Breaker:
        return self._stream.breaker

    async def load(self) -> None:
        """Nothing to do: the server is reached turn by turn."""

    def check(self, turn: LlmTurn) -> None:
        """See `ChatBackend.check`."""
        entry = self._entry
        refuse_unsupported(turn, model=turn.model, tools=entry.supports_tools, images=entry.images)

    async def stream(
        self, turn: LlmTurn, delivered: str = "", *, again: bool = True, first_token_by: float = math.inf
    ) -> AsyncGenerator[Event, None]:
        """Yield the answer to a turn. See `ChatBackend.stream`."""
        self.check(turn)
        entry = self._entry
        turn = with_defaults(turn, entry)
        budget = prompt_budget(entry.context_window, turn) - estimate_tokens((), turn.tools)
        # An answer being continued counts as prompt, at the cost of some more words about it.
        budget -= len(delivered.encode()) // 2 + 64 if delivered else 0

        async def count(messages: Any) -> int:
            return estimate_tokens(messages)

        messages = await trim(turn, budget, count)
        if len(messages) < len(turn.messages):
            metrics.TRIMMED.labels(self.name).inc()
        body = self.request(turn, wire_messages(messages, delivered, entry.continue_prefix))
        if delivered and entry.continue_prefix == "vllm":
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        overlaps = [OverlapFilter(delivered)] if delivered and entry.continue_prefix == "none" else []
        # A server without the right parser leaves calls in the text, tags and all.
        written = WrittenCalls([tool.name for tool in offered_tools(turn)], bare=False)
        reader = AnswerReader([*overlaps, written] if turn.tools else overlaps)
        chunks = self._stream.chunks(self.path, body, again=again, first_token_by=first_token_by)
        async with aclosing(read_answer(chunks, reader)) as deltas:
            async for delta in deltas:
                yield delta
        calls = [*reader.calls(), *written.calls]
        if not calls and (written.broken or written.unknown) and not reader.cut:
            raise bad_tool_call("the model wrote a tool call that cannot be read")
        if turn.HasField("parallel_tool_calls") and not turn.parallel_tool_calls:
            del calls[1:]  # not every server knows the field
        for call in call_deltas(calls, turn):
            yield call
        yield reader.done(calls=bool(calls))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
