"""What MiniMax's APIs have in common: errors as `base_resp` inside an HTTP 200.

https://platform.minimax.io/docs/api-reference/errorcode
"""

from collections.abc import Mapping

from dialtone.vendors.failures import UpstreamFailure

URL = "https://api.minimax.io/v1"

CODES = {
    1001: "timeout",
    1002: "rate_limited",
    1004: "invalid_api_key",
    1008: "insufficient_quota",
    1026: "content_filter",  # what was sent
    1027: "content_filter",  # what was made of it
    1039: "rate_limited",  # tokens
    1041: "rate_limited",  # connections
    1042: "invalid_request",  # more than a tenth of the text cannot be seen
    2013: "invalid_request",
    2045: "rate_limited",  # its growth
    2049: "invalid_api_key",
    2056: "insufficient_quota",
    2061: "model_not_found",  # not in the plan that is paid for; not in the reference's table
}
_PASSING = {1000, 1001, 1013, 1024, 1033}


def failure_of(status_code: int, message: str, codes: Mapping[int, str] = CODES) -> UpstreamFailure:
    """Translate a status other than 0; `codes` are ours by MiniMax's.

    All of the message is the failure's detail, of which the caller takes the key out.
    """
    code = codes.get(status_code, "upstream_error")
    again = status_code in _PASSING
    return UpstreamFailure(code, f"MiniMax answered {status_code}", again=again, detail=message)
