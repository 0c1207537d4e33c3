"""What the local stack is told by its environment (`make up PORT=9000` puts PORT there)."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from dialtone.models import default_models_dir


def checkout() -> Path:
    """Return the top folder of the checkout this package is installed from."""
    return next(folder for folder in Path(__file__).resolve().parents if (folder / "Procfile").is_file())


class StackSettings(BaseSettings):
    """Settings of `up`, `down` and `call`."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    port: int = Field(default=8000, ge=0, le=65535)
    """Port of the gateway on 127.0.0.1; 0 takes any free one."""
    stages: Literal["real", "simulated"] = "real"
    moshi: Literal["", "sft", "base", "pretrain"] = ""
    """A variant of Moshi to have a worker of, beside the other stages. Simulated stages have `sft` anyway."""
    detach: bool = False
    """Return when the stack is ready and leave it running; `down` ends it."""
    log: bool = False
    """Print what the processes log, each line with the name of its process."""
    run_dir: Path = Field(default_factory=lambda: checkout() / ".run")
    """Holds the state file, logs, the broker's store and the SQLite database."""
    start_timeout_s: float = Field(default=300.0, gt=0)

    nats_url: str | None = None
    redis_url: str | None = None
    database_url: str | None = None
    """Servers that run already: the stack starts none of its own for a URL that is given."""

    asr_model: str = "whisper-base"
    vad_model: str = "silero-vad"
    llm_local_model: str = "qwen2.5-coder-0.5b"
    """What the services of these names load: fetched before they start, unless it is a path."""
    models: str = "piper-en-joe"
    """Further models to fetch, separated by spaces: names of the manifest or `org/repo[:file]` of the hub."""

    language: str = ""
    """`zh`: a neural voice speaks Chinese, unless voices are given; it is fetched. Desktops put lists of
    locales here, which change nothing."""
    tts_voices: str | None = None
    """The speech service's own setting, which goes before."""

    @property
    def moshi_variant(self) -> str:
        """The variant of Moshi that is served, "" for none."""
        return self.moshi or ("sft" if self.stages == "simulated" else "")

    @property
    def has_chinese_voice(self) -> bool:
        """Whether the stack is given the voices of `deploy/local/chinese.toml`."""
        wanted = self.language.lower().partition("-")[0] == "zh"
        return wanted and self.stages == "real" and not self.tts_voices

    @cached_property
    def models_dir(self) -> Path:
        """The model cache (MODELS_DIR)."""
        return default_models_dir().resolve()
