"""What `call` is told by its environment (`make call WAV=my.wav` puts WAV there)."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]+)*", re.IGNORECASE)


class CallSettings(BaseSettings):
    """Settings of one call."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    url: str = ""
    """The gateway to call, as http://HOST:PORT; empty: the stack of this checkout, started if need be."""
    protocol: Literal["realtime", "voice_call"] = "realtime"
    api_key: SecretStr = SecretStr("")

    wav: Path | None = None
    """A recording to use as the question; without one the project's own voice asks."""
    out: Path = Path("reply.wav")
    """Where the answers are saved."""
    turns: int = Field(default=1, ge=1, le=100)
    language: str = ""
    """Language of the recording, such as `zh`; empty: detected. The default questions are in Chinese for
    `zh`, else in English."""

    @field_validator("url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        if value and not re.match(r"https?://[^/]", value):
            raise ValueError("the gateway's address is http://HOST:PORT")
        return value

    @field_validator("language")
    @classmethod
    def _language_code(cls, value: str) -> str:
        """Desktops put lists of locales into LANGUAGE ("de_DE:de"): they say nothing about a recording."""
        return value.lower() if _LANGUAGE.fullmatch(value) else ""

    model: str = ""
    voice: str = ""
    instructions: str = ""
    """System instructions; empty leaves the server's own."""
    silence_ms: int | None = Field(default=None, ge=100, le=10_000)
    """Silence that ends a turn; the server's default when not given."""
    answer_timeout_s: float = Field(default=60.0, gt=0)
    """How long to wait for an answer to end after its question did."""
