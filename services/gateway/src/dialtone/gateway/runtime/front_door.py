"""What every request and every handshake meets first, before anybody asks who the client is.

A browser sends its cookies, and on a loopback address its mere presence, along with whatever any page
tells it to: a page of anybody could open calls at a gateway that takes all programs of the machine. So
what comes from a page has to come from one of those that the operator named, or be the gateway's own: its
origin is then what the same request gives as Host, which no page can choose. Programs send no Origin.
Nor does a page that asks its own server, under whose name a browser may by then know this machine: where
there are no keys, names other than localhost are not answered to.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Iterable

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from dialtone.gateway.rest.errors import ApiError
from dialtone.gateway.runtime import metrics
from dialtone.gateway.runtime.rates import Rates, network_of
from dialtone.gateway.runtime.refusals import Refusal, deny, too_often


class FrontDoor:
    """ASGI middleware: pages that were not named and clients that come too often are sent away."""

    def __init__(
        self, app: ASGIApp, *, origins: Iterable[str], per_minute: int, without_keys: bool, own_page: bool
    ) -> None:
        """`origins`: of the pages that may come in; `per_minute`: requests of one address, 0: any number;
        `without_keys`: whoever reaches the gateway may enter; `own_page`: pages of the gateway may, too."""
        self._app = app
        self._origins = frozenset(origins)
        self._without_keys = without_keys
        self._own_page = own_page
        self._rates = Rates(per_minute) if per_minute else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(HTTPConnection(scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await deny(WebSocket(scope, receive, send), refusal)
        else:
            await _answer(refusal)(scope, receive, send)

    def _refusal(self, asked: HTTPConnection) -> Refusal | None:
        if self._comes_too_often(asked):
            return too_often()
        # More than one header is no browser's doing: all of them have to be right.
        if not (self._named(asked) or (self._own_page and _is_own(asked))):
            return Refusal(403, "origin_not_allowed", "Pages of this origin may not come in.")
        if self._without_keys and not all(map(_names_this_machine, asked.headers.getlist("host"))):
            return Refusal(403, "host_not_allowed", "A gateway without keys answers to localhost alone.")
        return None

    def _named(self, asked: HTTPConnection) -> bool:
        return self._origins.issuperset(asked.headers.getlist("origin"))

    def _comes_too_often(self, asked: HTTPConnection) -> bool:
        if self._rates is None or asked.client is None:
            return False
        return self._rates.take(network_of(asked.client.host), time.monotonic()) > 0


def _is_own(asked: HTTPConnection) -> bool:
    """Whether the page was served from where it now asks. A proxy may have taken the `s` off https."""
    origins, hosts = asked.headers.getlist("origin"), asked.headers.getlist("host")
    return len(origins) == len(hosts) == 1 and origins[0] in (f"http://{hosts[0]}", f"https://{hosts[0]}")


def _names_this_machine(host: str) -> bool:
    """Whether a Host header is an address, or localhost: what nobody can make point here."""
    name = host.rpartition(":")[0] if re.search(r":\d*$", host) and not host.endswith("]") else host
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _answer(refusal: Refusal) -> JSONResponse:
    metrics.refused.labels(refusal.code).inc()
    error = ApiError(refusal.status, refusal.code, refusal.message)
    return JSONResponse(error.body.model_dump(), refusal.status, refusal.headers)
