"""How long each phase of a request to a model's server may take."""

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """All in seconds. A chunk of reasoning counts as a token: the model is at work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connect_s: float = Field(default=2.0, gt=0)
    first_token_s: float = Field(default=10.0, gt=0)
    """From the turn's start, retries included."""
    inter_token_s: float = Field(default=5.0, gt=0)
    total_s: float = Field(default=60.0, gt=0)
    """An answer still running then is cut, as at its token limit."""
    retries: int = Field(default=1, ge=0, le=3)
    """More tries of a request that failed before its first token."""
    retry_budget_s: float = Field(default=2.0, ge=0)
    """A request that would be sent later than this after the turn's start is not sent again."""
    breaker_failures: int = Field(default=5, ge=1)
    """Requests in a row that fail by the server's fault within `breaker_window_s`: it is not asked then."""
    breaker_window_s: float = Field(default=10.0, gt=0)
    breaker_open_s: float = Field(default=5.0, gt=0)
    """After which one request tries whether it answers again."""
