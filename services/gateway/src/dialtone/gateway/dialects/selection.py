"""Which of the two Realtime dialects a client speaks, as its handshake says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

DialectName = Literal["realtime", "realtime_beta"]

BETA_FEATURE = "realtime=v1"  # one of the features that an OpenAI-Beta header lists
BETA_PROTOCOL = "openai-beta.realtime-v1"


def dialect_of(beta_header: str | None, offered_subprotocols: Iterable[str]) -> DialectName:
    """The dialect of a client that sent this `OpenAI-Beta` header and offers these subprotocols.

    Other features in the header (`assistants=v2`, which some helpers always send) mean nothing.
    """
    if BETA_FEATURE in (beta_header or "") or BETA_PROTOCOL in offered_subprotocols:
        return "realtime_beta"
    return "realtime"
