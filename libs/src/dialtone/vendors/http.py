"""HTTP to a vendor's server: one kind of client, and its troubles in the words of UpstreamFailure."""

import functools
import ssl
from collections.abc import Mapping

import httpx2

from dialtone.vendors.failures import UpstreamFailure

_KEEPALIVE_S = 60.0  # longer than a caller takes from turn to turn: a handshake costs what a token does


@functools.cache
def _tls() -> ssl.SSLContext:
    """Read the certificates once, not for each entry of a registry."""
    return httpx2.create_ssl_context()


def new_client(
    base_url: str, headers: Mapping[str, str], *, connect_s: float, connections: int
) -> httpx2.AsyncClient:
    """Return a client that limits nothing but connecting: its user knows what each phase may take."""
    return httpx2.AsyncClient(
        base_url=base_url.rstrip("/") + "/",
        headers=headers,
        verify=_tls(),
        timeout=httpx2.Timeout(None, connect=connect_s, pool=connect_s),
        limits=httpx2.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEEPALIVE_S,
        ),
    )


def bearer(key: str) -> dict[str, str]:
    """The header with the key that most servers want."""
    return {"Authorization": f"Bearer {key}"}


def too_slow(what: str) -> UpstreamFailure:
    """The server did not do `what` in time."""
    return UpstreamFailure("timeout", f"the server is too slow: {what}")


def transport_failure(error: httpx2.HTTPError) -> UpstreamFailure:
    """Translate what broke below HTTP."""
    what = type(error).__name__
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return UpstreamFailure("upstream_unreachable", f"cannot reach the server ({what})", again=True)
    if isinstance(error, httpx2.PoolTimeout):
        return UpstreamFailure("overloaded", "too many requests at once to the server")
    # The connection broke: another attempt can go on from what was delivered.
    return UpstreamFailure("upstream_cut", f"the answer broke off ({what})", retryable=True, again=True)


def without_secret(message: str, secret: str) -> str:
    """Keep a server's message short, and what it repeats of the key out of every log."""
    if secret:
        message = message.replace(secret, "***")
    return message[:200].encode(errors="replace").decode()  # half of a surrogate pair is for no log
