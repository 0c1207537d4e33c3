"""The loss of a local model under a turn."""

from dialtone.vendors.failures import UpstreamFailure


class LocalModelLost(UpstreamFailure):
    """The process of a local model crashed or hung under a turn; `alone`: there was no other."""

    def __init__(self, message: str, *, alone: bool) -> None:
        super().__init__("model_lost", message, retryable=True)
        self.alone = alone
        # It may have been one of the others; but one that loses its model each time takes them with it.
        self.attempts = 1 if alone else 2
