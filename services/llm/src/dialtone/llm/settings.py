"""What this service is told by its environment."""

import os
from typing import Literal

from pydantic import Field, SecretStr

from dialtone.settings import ServiceSettings


def _default_threads() -> int:
    return max(1, min(os.cpu_count() or 1, max(2, (os.cpu_count() or 1) // 2)))


class LlmSettings(ServiceSettings):
    """Settings of the llm service; the environment variable of a field is its name in upper case."""

    stages: Literal["real", "simulated"] = "real"
    """"simulated" answers every model's name with the simulated backend, but for those in LLM_MODELS."""

    llm_models: str = ""
    """The registry: a TOML or JSON file, or JSON itself; name or pattern -> ModelEntry, or name -> list of
    names. Goes before the entries that the variables below add."""
    llm_default_model: str = ""
    """Names of the registry, separated by commas, for sessions that name no model, "default", or one of
    OpenAI's that is not served here: the first that can answers. Empty: "local"."""
    llm_slots: int = Field(default=0, ge=0, le=4096)
    """Turns at once. 0: LLM_PARALLEL where the default model is local, else 64; 256 when simulated."""

    llm_local_model: str = "qwen2.5-coder-0.5b"
    """The model "local": of the manifest, a hub name, or a GGUF file."""
    llm_threads: int = Field(default_factory=_default_threads, ge=1, le=512)
    """Threads of a local model. Default: half of the cores, but two where there are two."""
    llm_spin: int = Field(default=3000, ge=0)
    """How long these threads spin before they sleep (GOMP_SPINCOUNT). OpenMP's own default starves the
    threads themselves as soon as anything else wants a core."""
    llm_parallel: int = Field(default=2, ge=1, le=256)
    """Turns that a local model computes side by side."""
    llm_context: int = Field(default=2048, ge=256)
    """Window of a local model in tokens, for each of these. No more than what can be computed anew within the
    first token's limit, when a conversation comes to another worker."""
    llm_batch: int = Field(default=64, ge=1, le=8192)
    """Prompt tokens computed in one go: a cancelled prompt stops after that many."""
    llm_cache_mib: int = Field(default=512, ge=0)
    """Memory for prompts of calls that are between two turns (12 KiB a token for the default model)."""
    llm_warmup_instructions: str = (
        "You are a friendly voice assistant on a call. Answer in the user's language, in one or two short "
        "spoken sentences, without lists or markdown."
    )
    """System message computed before ready; that of the gateway's default session."""

    llm_first_token_s: float = Field(default=10.0, gt=0)
    """A server of the variables below that has said nothing for so long fails the turn."""
    llm_inter_token_s: float = Field(default=5.0, gt=0)
    """The same, between two tokens. Entries of LLM_MODELS have limits of their own."""

    minimax_api_key: SecretStr = SecretStr("")
    """Serves `minimax`, `MiniMax-*` and `abab*`."""
    minimax_base_url: str = ""
    minimax_model: str = "MiniMax-M2"
    """What `minimax` stands for."""

    openai_api_key: SecretStr = SecretStr("")
    """It or the URL serves `openai`, `openai/*` and OpenAI's own names."""
    openai_base_url: str = ""
    openai_images: bool = False
    """Whether the models at OPENAI_BASE_URL take images; those of OpenAI's own URL do."""
    openai_model: str = "gpt-4o-mini"
    """What `openai` stands for."""
