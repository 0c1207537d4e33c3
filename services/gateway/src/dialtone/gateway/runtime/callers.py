"""Who a client of the Realtime protocol is: by an API key, or by a secret that was made with one."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.websockets import WebSocket

from dialtone.gateway.rest.auth import ApiKeys, is_secret
from dialtone.gateway.runtime.refusals import wrong_key
from dialtone.gateway.stores import ClientSecret, ClientSecrets

KEY_PROTOCOL = "openai-insecure-api-key."


@dataclass(frozen=True, slots=True)
class Caller:
    tenant: str
    key: str | None  # the fingerprint of the key that it came in with, or that its secret was made with
    secret: ClientSecret | None = None  # what it came in with, unless that was a key


async def caller_of(socket: WebSocket, keys: ApiKeys, secrets: ClientSecrets) -> Caller:
    """Who asks for the socket. Raises Refusal, or StoreUnavailable when a secret cannot be looked up."""
    presented = bearer(socket) or _key_protocol(socket) or socket.headers.get("api-key")
    if presented is not None and is_secret(presented):
        secret = await secrets.find(presented)
        if secret is None or not keys.counts(secret.key):
            raise wrong_key()
        return Caller(secret.tenant, secret.key, secret)
    key = keys.find(presented)
    if key is None:
        raise wrong_key()
    return Caller(key.tenant, key.fingerprint)


def bearer(socket: WebSocket) -> str | None:
    """The key in the Authorization header."""
    scheme, _, key = socket.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key else None


def _key_protocol(socket: WebSocket) -> str | None:
    """The key that a browser can only give as a subprotocol."""
    offered: list[str] = socket.scope.get("subprotocols", [])
    return next((p.removeprefix(KEY_PROTOCOL) for p in offered if p.startswith(KEY_PROTOCOL)), None)
