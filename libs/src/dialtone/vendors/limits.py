"""How long a vendor's server may take, and when one that fails is let be."""

from pydantic import BaseModel, ConfigDict, Field


class BreakerLimits(BaseModel):
    """Durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    breaker_failures: int = Field(default=5, ge=1)
    """Requests in a row that fail by the server's fault within `breaker_window_s`: it is not asked then."""
    breaker_window_s: float = Field(default=10.0, gt=0)
    breaker_open_s: float = Field(default=5.0, gt=0)
    """After which one request tries whether it answers again."""


class ServerLimits(BreakerLimits):
    """Durations in seconds; each stage adds those of its answers."""

    connect_s: float = Field(default=2.0, gt=0)
