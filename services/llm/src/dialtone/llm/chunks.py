"""The chunks of a streamed chat completion, as OpenAI-compatible servers and MiniMax send them.

Only what is read is declared, and leniently: everything may be missing or null. Content may be text or a
list of parts. Reasoning (`reasoning_content`, `reasoning`, `reasoning_details`) is not declared: it is
never spoken.
"""

from typing import Any

import msgspec


class FunctionDelta(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCallPart(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(msgspec.Struct):
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[ToolCallPart] | None = None

    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(str(part.get("text") or "") for part in self.content if part.get("type") == "text")
        return self.content or ""


class Choice(msgspec.Struct):
    index: int | None = 0
    delta: Delta | None = None
    message: Delta | None = None  # a whole answer: not streamed, or MiniMax's summary at the end of a stream
    finish_reason: str | None = None


class PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None
    image_tokens: int | None = None


class TokenCounts(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek's word for cached_tokens
    cached_tokens: int | None = None  # Moonshot's place for it


class Timings(msgspec.Struct):
    """llama.cpp's counts so far, in every chunk where `timings_per_token` asks for them."""

    cache_n: int = 0
    prompt_n: int = 0
    predicted_n: int = 0


class BaseResp(msgspec.Struct):
    """MiniMax's own status, beside or instead of an answer; 0 is success."""

    status_code: int = 0
    status_msg: str = ""


class Chunk(msgspec.Struct):
    choices: list[Choice] | None = None
    usage: TokenCounts | None = None
    timings: Timings | None = None
    error: dict[str, Any] | str | None = None
    object: Any = None
    message: Any = None
    code: Any = None
    type: Any = None
    base_resp: BaseResp | None = None

    def choice(self) -> Choice | None:
        return next((choice for choice in self.choices or () if not choice.index), None)

    def has_substance(self) -> bool:
        """Whether the answer begins or goes on here: text or a tool call."""
        choice = self.choice()
        part = choice and (choice.delta or choice.message)
        return bool(part and (part.text() or part.tool_calls))

    def finishes(self) -> bool:
        choice = self.choice()
        return bool(choice and choice.finish_reason)

    def trouble(self) -> dict[str, Any] | str | None:
        """What the server says went wrong: in `error`, or in its place (SGLang, vLLM before 0.10)."""
        if self.object == "error":
            return {"message": self.message, "code": self.code, "type": self.type}
        return self.error


def ending(reason: str) -> Chunk:
    """Return the chunk with which a stream ought to have ended."""
    return Chunk(choices=[Choice(finish_reason=reason)])


_decoder = msgspec.json.Decoder(Chunk)


def decode(data: bytes) -> list[Chunk]:
    """Decode an event's data; raises ValueError. Several lines may be one document or a document each."""
    try:
        return [_decoder.decode(data)]
    except ValueError:
        if b"\n" not in data:
            raise
        return [_decoder.decode(line) for line in data.split(b"\n") if line and line != b"[DONE]"]
