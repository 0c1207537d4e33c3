"""A GGUF model run by llama.cpp."""

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx2

from dialtone.bus import WorkError
from dialtone.fence import ModelProcess
from dialtone.llm import metrics
from dialtone.llm.abilities import Abilities
from dialtone.llm.answer import Event
from dialtone.llm.backend import read_answer
from dialtone.llm.chunk_stream import ChunkStream
from dialtone.llm.chunks import Chunk
from dialtone.llm.context import DEFAULT_ANSWER_TOKENS, prompt_budget, trim
from dialtone.llm.llama_server import LlamaOptions, LlamaServer
from dialtone.llm.local_answer import LocalAnswer, constraint
from dialtone.llm.model_entry import ModelEntry, with_defaults
from dialtone.llm.tool_calls import bad_tool_call, call_deltas
from dialtone.llm.wire import offered_tools, refuse_unsupported, wire_messages, wire_request, wire_tools
from dialtone.models import locate
from dialtone.telemetry import get_logger
from dialtone.v1.common_pb2 import Usage
from dialtone.v1.turn_pb2 import LlmTurn, Message, TextDelta
from dialtone.vendors.failures import UpstreamFailure

log = get_logger(__name__)


class LocalBackend:
    """One model, shared by all calls; each call's prompt stays cached between its turns."""

    name = "local"
    abilities = Abilities(
        where="this machine, CPU or GPU (llama.cpp)",
        tools="as the model's template; held to by a grammar where a call is demanded",
        images="no",
        goes_on="in mid-sentence",
        counts="the model's own tokenizer",
        key="none",
        models="`local`, what `LLM_LOCAL_MODEL` says",
    )

    def __init__(
        self, entry: ModelEntry, options: LlamaOptions, *, models_dir: Path | None, warmup_instructions: str
    ) -> None:
        self._entry = entry
        self._options = options
        self._models_dir = models_dir
        self._warmup_instructions = warmup_instructions
        self._server: LlamaServer | None = None
        self._stream: ChunkStream | None = None
        self._supports_tools = False

    breaker = None

    async def load(self) -> None:
        """Load the model and compute the default instructions in every slot."""
        model = _gguf(locate(self._entry.model, self._models_dir))
        self._server = server = await LlamaServer.start(model, self._options)
        # What breaks here is the model's process, which takes longer to replace than a caller's patience for
        # a request: that is another attempt's business.
        limits = self._entry.limits.model_copy(update={"retries": 0})
        self._stream = ChunkStream(server.client, backend=self.name, limits=limits, refusal=_no_refusal)
        self._supports_tools = self._entry.supports_tools and await server.supports_tools()
        turn = LlmTurn(max_output_tokens=1)
        turn.messages.add(role=Message.ROLE_SYSTEM, text=self._warmup_instructions)
        turn.messages.add(role=Message.ROLE_USER, text="Hello.")

        async def warm() -> None:
            async for _ in self.stream(turn):
                pass

        await asyncio.gather(*(warm() for _ in range(self._options.parallel)))

    def check(self, turn: LlmTurn) -> None:
        """See `ChatBackend.check`."""
        refuse_unsupported(turn, model=self._entry.model, tools=self._supports_tools, images=False)

    async def stream(
        self, turn: LlmTurn, delivered: str = "", *, again: bool = True, first_token_by: float = math.inf
    ) -> AsyncGenerator[Event, None]:
        """Yield the answer to a turn. See `ChatBackend.stream`."""
        del again  # what breaks is the model's process: see `load`
        self.check(turn)
        request = with_defaults(turn, self._entry)
        if not request.HasField("max_output_tokens"):
            request.max_output_tokens = DEFAULT_ANSWER_TOKENS
        answer = LocalAnswer(request)
        async with aclosing(self._answer(request, delivered, answer, first_token_by)) as deltas:
            async for delta in deltas:
                yield delta
        usage = answer.reader.done(calls=False).usage
        if anew := answer.again():
            log.info("no usable tool call, asking again", tool_choice=anew.tool_choice)
            answer = LocalAnswer(anew)
            async with aclosing(self._answer(anew, delivered, answer)) as deltas:
                async for delta in deltas:
                    yield delta
            usage = _sum(usage, answer.reader.done(calls=False).usage)
            if answer.again():
                raise bad_tool_call(f"model {self._entry.model} called a tool in no usable way")
        calls = answer.calls()
        for call in call_deltas(calls, turn):
            yield call
        done = answer.reader.done(calls=bool(calls))
        done.usage.CopyFrom(usage)
        yield done

    async def _answer(
        self, turn: LlmTurn, delivered: str, answer: LocalAnswer, first_token_by: float = math.inf
    ) -> AsyncGenerator[TextDelta, None]:
        if self._stream is None or self._server is None:
            raise WorkError("internal", "the model is not loaded", retryable=True)
        async with (
            self._server.turn(),
            aclosing(self._answered(self._stream, turn, delivered, answer, first_token_by)) as deltas,
        ):
            async for delta in deltas:
                yield delta

    async def _answered(
        self,
        stream: ChunkStream,
        turn: LlmTurn,
        delivered: str,
        answer: LocalAnswer,
        first_token_by: float,
    ) -> AsyncGenerator[TextDelta, None]:
        messages = await self._trimmed(turn, delivered)
        wired = wire_messages(messages, delivered, "trailing")
        body = wire_request(turn, wired, max_tokens_field="max_tokens")
        body |= constraint(turn, continues=bool(delivered))
        counts: dict[str, Any] = {"stream_options": {"include_usage": True}}
        if offered_tools(turn):
            # An answer that is stopped after its calls has no usage at its end.
            counts["timings_per_token"] = True
        body |= {"cache_prompt": True} | counts | self._entry.extra_body
        chunks = stream.chunks("v1/chat/completions", body, first_token_by=first_token_by)
        async with aclosing(read_answer(chunks, answer.reader, answer.enough)) as deltas:
            async for delta in deltas:
                answer.spoke = True
                yield delta

    async def _trimmed(self, turn: LlmTurn, delivered: str) -> Sequence[Message]:
        server = self._server
        assert server is not None
        tools = wire_tools(offered_tools(turn))

        async def count(messages: Sequence[Message]) -> int:
            try:
                return await server.count_tokens(wire_messages(messages, delivered, "trailing"), tools)
            except httpx2.TransportError as error:
                raise UpstreamFailure("upstream_cut", f"no token count ({type(error).__name__})") from error
            except (httpx2.HTTPError, KeyError, ValueError) as error:
                raise WorkError("invalid_request", "the model's template refuses the conversation") from error

        kept = await trim(turn, prompt_budget(self._options.context, turn), count)
        if len(kept) < len(turn.messages):
            metrics.TRIMMED.labels(self.name).inc()
        return kept

    @property
    def models(self) -> Sequence[ModelProcess[Any]]:
        """The model's process, once it is loaded."""
        return () if self._server is None else (self._server.model,)

    async def close(self) -> None:
        """Free the model."""
        if self._server is not None:
            await self._server.close()


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
    )


def _no_refusal(_chunk: Chunk) -> UpstreamFailure | None:
    return None


def _gguf(found: Path) -> Path:
    """Return the GGUF file of a model's folder (the first part of one in parts)."""
    if found.is_file():
        return found
    files = sorted(found.glob("*.gguf"))
    if not files:
        raise FileNotFoundError(f"no GGUF file in {found}")
    return files[0]
