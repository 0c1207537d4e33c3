"""Where sessions are kept: Redis for the living, SQL for good; and who has which call."""

from .call_registry import CallHolder, CallRegistry, Claim
from .client_secrets import ClientSecret, ClientSecrets, Minted, TooManySecrets
from .errors import SessionBusy, SessionDisplaced, SessionExists, StoreUnavailable, UnknownSession
from .opening import Stores, open_stores
from .session_store import SessionPage, SessionStore, SessionSummary

__all__ = [
    "CallHolder",
    "CallRegistry",
    "Claim",
    "ClientSecret",
    "ClientSecrets",
    "Minted",
    "SessionBusy",
    "SessionDisplaced",
    "SessionExists",
    "SessionPage",
    "SessionStore",
    "SessionSummary",
    "StoreUnavailable",
    "Stores",
    "TooManySecrets",
    "UnknownSession",
    "open_stores",
]
