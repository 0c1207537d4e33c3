"""One line of the model registry."""

from typing import Any, Literal

from pydantic import Field

from dialtone.llm.limits import Limits
from dialtone.llm.wire import ContinuePrefix
from dialtone.v1.turn_pb2 import LlmTurn
from dialtone.vendors.entry import VendorEntry

OPENAI_URL = "https://api.openai.com/v1"


class ModelEntry(VendorEntry):
    """How the models of one name, or of a pattern such as `MiniMax-*`, are reached."""

    backend: Literal["minimax", "openai", "local", "simulated"]
    model: str = ""
    """The server's name of the model. Empty: the name asked for, without what its pattern has before the
    star when that ends in a slash (`openai/*`). For `local`: a model of the manifest, a hub name or a GGUF
    file."""
    context_window: int = Field(default=8192, ge=256)
    """Tokens of prompt and answer together. A local model's is set by LLM_CONTEXT."""
    max_output_tokens: int | None = Field(default=None, ge=1)
    """Longest answer where the session sets none."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Where the session sets none; unset, the server's own default."""
    supports_tools: bool = True
    """False refuses sessions with tools. A local model is asked itself."""
    images: bool = False
    """Whether the model takes images; false refuses conversations that hold one. A local model takes none."""
    continue_prefix: ContinuePrefix = "none"
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_usage: bool = True
    """Ask for token counts (`stream_options.include_usage`); some servers refuse the field."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """More members of every request, such as `{"chat_template_kwargs": {"enable_thinking": false}}`."""
    limits: Limits = Limits()


def with_defaults(turn: LlmTurn, entry: ModelEntry) -> LlmTurn:
    """Return the turn with the entry's settings where the session has none."""
    filled = LlmTurn()
    filled.CopyFrom(turn)
    if entry.max_output_tokens and not turn.HasField("max_output_tokens"):
        filled.max_output_tokens = entry.max_output_tokens
    if entry.temperature is not None and not turn.HasField("temperature"):
        filled.temperature = entry.temperature
    return filled
