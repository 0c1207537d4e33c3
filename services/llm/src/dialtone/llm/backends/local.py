"""A GGUF model run by llama.cpp in this process."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import httpx

from dialtone.bus import WorkError
from dialtone.llm import metrics
from dialtone.llm.answer import AnswerReader, Event
from dialtone.llm.backend import read_answer
from dialtone.llm.chunk_stream import ChunkStream
from dialtone.llm.chunks import Chunk
from dialtone.llm.context import DEFAULT_ANSWER_TOKENS, prompt_budget, trim
from dialtone.llm.failures import UpstreamFailure
from dialtone.llm.llama_server import LlamaOptions, LlamaServer
from dialtone.llm.model_entry import ModelEntry
from dialtone.llm.tool_calls import WrittenCalls, new_call_id
from dialtone.llm.wire import offered_tools, wire_messages, wire_request, wire_tools
from dialtone.models import locate
from dialtone.telemetry import get_logger
from dialtone.v1.turn_pb2 import LlmTurn, Message, ToolCallDelta, TurnDone

log = get_logger(__name__)


class LocalBackend:
    """One model, shared by all calls; each call's prompt stays cached between its turns."""

    name = "local"

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

    async def load(self) -> None:
        """Load the model and compute the default instructions in every slot."""
        model = _gguf(locate(self._entry.model, self._models_dir))
        self._server = server = await LlamaServer.start(model, self._options)
        self._stream = ChunkStream(
            server.client, backend=self.name, limits=self._entry.limits, refusal=_no_refusal
        )
        self._supports_tools = self._entry.supports_tools and await server.supports_tools()
        turn = LlmTurn(max_output_tokens=1)
        turn.messages.add(role=Message.ROLE_SYSTEM, text=self._warmup_instructions)
        turn.messages.add(role=Message.ROLE_USER, text="Hello.")

        async def warm() -> None:
            async for _ in self.stream(turn):
                pass

        await asyncio.gather(*(warm() for _ in range(self._options.parallel)))

    async def stream(self, turn: LlmTurn, delivered: str = "") -> AsyncGenerator[Event, None]:
        """Yield the answer to a turn. See `ChatBackend.stream`."""
        tools = offered_tools(turn)
        if tools and not self._supports_tools:
            raise WorkError("unsupported", f"model {self._entry.model} does not support tools")
        written = WrittenCalls([tool.name for tool in tools])
        reader = AnswerReader([written] if tools else [])
        spoke = False
        async for event in self._answer(turn, delivered, reader):
            spoke = True
            yield event
        done = reader.done()
        if written.calls:
            for number, call in enumerate(written.calls):
                yield ToolCallDelta(
                    index=number, call_id=new_call_id(), name=call.name, arguments=call.arguments, done=True
                )
            done.finish_reason = TurnDone.FINISH_REASON_TOOL_CALLS
        elif written.unknown and not spoke:
            # Small models call tools that do not exist, most of all where no tool is called for.
            log.info("invented tool, answering without tools", calls=written.unknown)
            plain = LlmTurn()
            plain.CopyFrom(turn)
            plain.tool_choice = "none"
            async for event in self.stream(plain, delivered):
                yield event
            return
        yield done

    async def _answer(
        self, turn: LlmTurn, delivered: str, reader: AnswerReader
    ) -> AsyncGenerator[Event, None]:
        if self._stream is None:
            raise WorkError("internal", "the model is not loaded", retryable=True)
        request = LlmTurn()
        request.CopyFrom(turn)
        if not turn.HasField("max_output_tokens"):
            request.max_output_tokens = self._entry.max_output_tokens or DEFAULT_ANSWER_TOKENS
        if not turn.HasField("temperature") and self._entry.temperature is not None:
            request.temperature = self._entry.temperature
        messages = await self._trimmed(request, delivered)
        wired = wire_messages(messages, delivered, "trailing")
        body = wire_request(request, wired, max_tokens_field="max_tokens")
        if turn.tools and turn.tool_choice.startswith(("required", "function:")):
            body |= {"tool_choice": "auto", "response_format": _a_call(turn)}
        body |= {"cache_prompt": True, "stream_options": {"include_usage": True}} | self._entry.extra_body
        async for event in read_answer(self._stream.chunks("v1/chat/completions", body), reader):
            yield event

    async def _trimmed(self, turn: LlmTurn, delivered: str) -> Sequence[Message]:
        server = self._server
        assert server is not None
        tools = wire_tools(offered_tools(turn))

        async def count(messages: Sequence[Message]) -> int:
            try:
                return await server.count_tokens(wire_messages(messages, delivered, "trailing"), tools)
            except (httpx.HTTPError, KeyError, ValueError) as error:
                raise WorkError("invalid_request", "the model's template refuses the conversation") from error

        kept = await trim(turn.messages, prompt_budget(self._options.context, turn), count)
        if len(kept) < len(turn.messages):
            metrics.TRIMMED.labels(self.name).inc()
        return kept

    async def close(self) -> None:
        """Free the model."""
        if self._server is not None:
            await self._server.close()


def _a_call(turn: LlmTurn) -> dict[str, Any]:
    """Return the grammar of a tool call: asked for by `tool_choice` alone, small models just talk."""
    names = [tool.name for tool in turn.tools]
    if turn.tool_choice != "required":
        names = [turn.tool_choice.removeprefix("function:")]
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                "arguments": tool["function"]["parameters"],
            },
            "required": ["name", "arguments"],
        }
        for tool in wire_tools(turn.tools)
        if tool["function"]["name"] in names
    ]
    if not calls:
        raise WorkError("invalid_request", f"there is no tool {names[0]} to choose")
    return {"type": "json_schema", "json_schema": {"schema": {"anyOf": calls}}}


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
