"""What every Dialtone process is told by its environment."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from dialtone.settings.bus import BusSettings


class ServiceSettings(BusSettings):
    """Base of each service's own settings class."""

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    """Port of metrics and health checks; 0 takes any free one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    drain_grace_s: float = Field(default=10.0, ge=0)
    """How long short work may go on after the process was asked to stop."""
    pool: str = Field(default="default", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    require_tls: bool = False
    """Do not start where a server would be spoken to without TLS that verifies who it is."""
    models_dir: Path | None = None

    @model_validator(mode="after")
    def _broker_by_tls(self) -> Self:
        if self.require_tls and any(urlsplit(url).scheme != "tls" for url in self.nats_url.split(",")):
            raise ValueError("REQUIRE_TLS is set, and NATS_URL is not tls://")
        return self
