"""What the engine of Moshi is told by its environment: which weights, where they run, how they sample.

What is said of sampling holds for a whole engine: the package draws for all slots in one go, from one stream
of random numbers. So a seed gives the same call again only in an engine that did the same since its start.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from dialtone.settings import ServiceSettings

Variant = Literal["sft", "base", "pretrain"]


class MoshiEngineSettings(ServiceSettings):
    """Settings of one engine; the environment variable of a field is its name in upper case."""

    moshi_variant: Variant = "sft"
    """Which weights this process serves."""
    moshi_sft_repo: str = "kyutai/moshiko-pytorch-bf16"
    """Hub repository of the variant's weights, `owner/name` or `owner/name@revision`."""
    moshi_sft_path: Path | None = None
    """A folder with these files; goes before the repository."""
    moshi_base_repo: str = ""
    moshi_base_path: Path | None = None
    moshi_pretrain_repo: str = ""
    moshi_pretrain_path: Path | None = None

    moshi_slots: int = Field(default=8, ge=1, le=1024)
    """Calls at once. Each has a cache of its own, held in full from the start: 1.5 GiB of bfloat16 at
    the full context of the 7B model, beside 14.3 GiB of weights."""
    moshi_context: int = Field(default=0, ge=0)
    """Steps of 80 ms that the model looks back on; 0: as many as the checkpoint says (3000, four minutes)."""
    moshi_device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """`auto`: the first GPU, or the CPU where there is none."""
    moshi_dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Of the language model; `auto`: bfloat16 on a GPU, float32 on a CPU. Mimi is float32 always."""
    moshi_threads: int = Field(default=1, ge=1)
    """Threads of a step on a CPU. A step is many small operations: threads that wait for each other on
    processors with other work make it several times slower."""

    moshi_temperature: float | None = Field(default=None, ge=0)
    """Of the audio tokens; 0 takes the likeliest. None: what the checkpoint says, else 0.8."""
    moshi_text_temperature: float | None = Field(default=None, ge=0)
    """Of the text tokens; else 0.7."""
    moshi_top_k: int | None = Field(default=None, ge=0)
    """Audio tokens to draw from; 0: all. Else 250."""
    moshi_text_top_k: int | None = Field(default=None, ge=0)
    """Text tokens to draw from; 0: all. Else 25."""
    moshi_seed: int | None = None
    """Of the engine's random numbers; None: another at every start."""

    moshi_ahead: int = Field(default=250, ge=1)
    """Frames of a call that may wait to be heard or, when heard, to be fetched: 20 s. Beyond: TooFarAhead."""
    moshi_step_limit_s: float = Field(default=10.0, gt=0)
    """A step that has not ended by then is taken for hung, and the engine for lost."""
