"""What a Moshi worker is told by its environment; a variable is its field's name in upper case."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from dialtone.llm.moshi.engine_settings import MoshiEngineSettings


class MoshiSettings(MoshiEngineSettings):
    """Settings of a Moshi worker, which serves one variant. Its pool has the variant's name."""

    stages: Literal["real", "simulated"] = "real"
    """`simulated`: a tone and numbered words after each burst of sound, without torch."""

    moshi_voice_dbfs: float = Field(default=-45.0, ge=-90, lt=0)
    """Sound of Moshi's that is louder (dB below full scale, over 80 ms) is speech."""
    moshi_pause_ms: int = Field(default=560, ge=80, le=5_000)
    """Without words and speech for so long, what Moshi was saying is over."""

    @model_validator(mode="before")
    @classmethod
    def _pool_of_the_variant(cls, given: dict[str, Any]) -> dict[str, Any]:
        variant = given.get("moshi_variant", "sft")
        if given.setdefault("pool", variant) != variant:
            raise ValueError("the POOL of a Moshi worker is its MOSHI_VARIANT")
        return given
