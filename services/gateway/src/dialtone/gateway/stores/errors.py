"""What a store can answer instead of a result."""


class StoreUnavailable(Exception):
    """A store that is needed for this cannot be reached; trying again later may help."""

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(f"{store}: {reason}")
        self.store = store


class UnknownSession(LookupError):
    """The tenant has no such session."""


class SessionDisplaced(Exception):
    """A call with a later claim has the session: this one may not change it any more."""

    def __init__(self, epoch: int) -> None:
        """`epoch`: of that claim."""
        super().__init__(f"the session is at epoch {epoch}")
        self.epoch = epoch


class SessionBusy(Exception):
    """The session has a live call, and that keeps it."""


class SessionExists(Exception):
    """The tenant has a session with this id already."""
