"""What servers with chat completions say went wrong, and what it means for a turn.

Servers have words of their own: a code may be a name, an HTTP status, or missing, and the name then stands in
`type` (llama.cpp, vLLM). Some tell in prose alone that a conversation is too long.
"""

import re
from collections.abc import Mapping
from typing import Any

from dialtone.vendors.failures import UpstreamFailure, failure_of_status
from dialtone.vendors.http import without_secret

_NAMES = {
    "exceed_context_size_error": "context_length_exceeded",  # llama.cpp
    "data_inspection_failed": "content_filter",  # Qwen's
    "Arrearage": "insufficient_quota",
}
_LASTING = {"context_length_exceeded", "content_filter", "insufficient_quota", "model_not_found"}
# vLLM and DeepSeek; SGLang; Ollama; Qwen.
_TOO_LONG = re.compile(
    r"maximum context length|model's context length|exceeds? the (?:available )?context"
    r"|range of input length",
    re.IGNORECASE,
)
_STOPPED = {"abort", "error", "insufficient_system_resource"}
"""Finish reasons of an answer that its server gave up: vLLM's and SGLang's, and DeepSeek's."""


def told_failure(
    trouble: dict[str, Any] | str, status: int | None, headers: Mapping[str, str], secret: str
) -> UpstreamFailure:
    """Translate what a server said. `status` is that of its response; None inside a stream. What is repeated
    of the `secret` is blotted out."""
    told: dict[str, Any] = {"message": trouble} if isinstance(trouble, str) else trouble
    message = without_secret(str(told.get("message") or ""), secret)
    number, name = str(told.get("code") or ""), str(told.get("type") or "")
    if number and not number.isdecimal():
        number, name = "", number
    code = "context_length_exceeded" if _TOO_LONG.search(message) else _NAMES.get(name, name)
    if status is None:
        status = int(number) if len(number) == 3 else 400 if code in _LASTING else 500
    failure = failure_of_status(status, headers, message, code)
    failure.again = failure.again and code not in _LASTING
    return failure


def given_up(finish_reason: str | None) -> UpstreamFailure | None:
    """Return the failure that a finish reason stands for, if it does."""
    if finish_reason not in _STOPPED:
        return None
    message = f"the server gave the answer up ({finish_reason})"
    return UpstreamFailure("upstream_cut", message, retryable=True, again=True)
