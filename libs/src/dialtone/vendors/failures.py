"""What can go wrong between a worker and the server of a model, in the words of WorkError."""

import email.utils
import time
from collections.abc import Mapping

from dialtone.bus import WorkError

LONGEST_WAIT_S = 2.0
"""How long a caller may be kept waiting because a server asked for it."""

_BY_STATUS = {
    401: "invalid_api_key",
    402: "insufficient_quota",
    403: "invalid_api_key",
    404: "model_not_found",
    408: "timeout",
    413: "context_length_exceeded",
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}
_NAMED = {"insufficient_quota", "context_length_exceeded", "content_filter", "model_not_found"}
# Another try will not help, here or a moment later.
_LASTING = {
    "bad_upstream", "content_filter", "context_length_exceeded", "insufficient_quota", "invalid_api_key",
    "invalid_audio", "invalid_request", "invalid_voice", "model_not_found", "text_too_long",
    "unspeakable_text", "unsupported_language",
}  # fmt: skip
# What of an entry it is about; of what was asked, each stage knows.
_OF_ENTRIES = {
    "invalid_api_key": "api_key",
    "model_not_found": "model",
    "bad_upstream": "base_url",
    "upstream_unreachable": "base_url",
}
_WORTH_ANOTHER_TRY = {500, 502, 503, 504, 529}


class UpstreamFailure(WorkError):
    """A server failed or refused.

    `again`: the same request may be sent once more now, after `after_s` seconds. Where it is `retryable`, the
    work may be given to a worker `attempts` times more. `detail` is in the server's own words: it may quote
    the conversation or name machines, and is neither for clients nor for a log that nobody asked to tell all.
    """

    attempts = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        again: bool = False,
        after_s: float = 0.0,
        detail: str = "",
    ) -> None:
        super().__init__(code, message, retryable=retryable)
        self.detail = detail
        self.again = again
        self.after_s = after_s

    @property
    def may_pass(self) -> bool:
        """Whether the same request may work at another time."""
        return self.code not in _LASTING

    def told(self, backend: str, fields: Mapping[str, str]) -> str:
        """The message as callers and clients know it: with the backend, and with the field it is about, which
        `fields` says by code where it is none of an entry."""
        field = fields.get(self.code) or _OF_ENTRIES.get(self.code)
        return f"{backend}: {self.message}" + (f" ({field})" if field else "")


def failure_of_status(
    status: int, headers: Mapping[str, str], detail: str, upstream_code: str
) -> UpstreamFailure:
    """Translate an HTTP status other than 200. `detail` and `upstream_code` are what its body said, if
    anything."""
    code = _BY_STATUS.get(status, "upstream_error" if status >= 500 else "invalid_request")
    if upstream_code in _NAMED:
        code = upstream_code
    message = f"the server answered HTTP {status}"
    if code == "rate_limited":
        wait = retry_after(headers)
        patient = wait is not None and wait <= LONGEST_WAIT_S
        after_s = wait if patient and wait else 0.0
        return UpstreamFailure(code, message, again=patient, after_s=after_s, detail=detail)
    return UpstreamFailure(code, message, again=status in _WORTH_ANOTHER_TRY, detail=detail)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, or None where it does not say (sensibly)."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if (seconds := _number(value)) is not None:
        return seconds
    if value:
        try:
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
        except ValueError:
            return None
    return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and number >= 0 else None
