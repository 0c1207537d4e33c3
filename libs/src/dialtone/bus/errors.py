"""What can go wrong on the bus, in terms that callers can act on."""

import nats.errors


class BusError(Exception):
    """Base of the errors below."""


class BusUnavailable(BusError):
    """The broker cannot be reached, or did not answer: nothing is known to have been sent."""


class Overloaded(BusError):
    """The stage's work queue is full."""


class NoResponders(BusError):
    """Nobody listens on the subject of a request."""


class PayloadTooLarge(BusError):
    """The message is larger than the broker takes."""


class WorkError(Exception):
    """Raised by a handler: the work failed.

    `code` is a stable snake_case name, `message` is for people; with `retryable` another attempt is
    made while deliveries are left.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable


class HandBack(Exception):
    """Raised by a handler that gives its work back: it is delivered to another worker at once."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def translated(error: nats.errors.Error) -> BusError:
    """What an error of the client library is here."""
    if isinstance(error, nats.errors.NoRespondersError):
        return NoResponders("nobody listens")
    if isinstance(error, nats.errors.MaxPayloadError):
        return PayloadTooLarge(str(error))
    return BusUnavailable(str(error))
