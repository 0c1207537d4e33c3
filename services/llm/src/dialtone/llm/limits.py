"""How long each phase of a request to a model's server may take."""

from pydantic import Field

from dialtone.vendors.limits import ServerLimits


class Limits(ServerLimits):
    """All in seconds. A chunk of reasoning counts as a token: the model is at work."""

    first_token_s: float = Field(default=10.0, gt=0)
    """From the turn's start, retries included."""
    inter_token_s: float = Field(default=5.0, gt=0)
    total_s: float = Field(default=60.0, gt=0)
    """An answer still running then is cut, as at its token limit."""
    retries: int = Field(default=1, ge=0, le=3)
    """More tries of a request that failed before its first token."""
    retry_budget_s: float = Field(default=2.0, ge=0)
    """A request that would be sent later than this after the turn's start is not sent again."""
