"""API keys: who a client is."""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dialtone.gateway.settings import OPEN_TENANT, SECRET_PREFIX, GatewaySettings, split_api_key

from .errors import ApiError

_bearer = HTTPBearer(auto_error=False, description="An API key; not needed where none are configured.")


class ApiKeys:
    """The keys of the settings. Without any, everybody is the tenant "default"."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._tenants: list[tuple[bytes, str]] = []
        for entry in settings.api_keys:
            tenant, key = split_api_key(entry.get_secret_value())
            self._tenants.append((_digest(key), tenant))

    def tenant_of(self, key: str | None) -> str | None:
        """The tenant that a key belongs to; None: the client may not enter.

        An ephemeral secret is no key, not even where none are configured: it opens calls, nothing
        else. The time it takes tells nothing of how much of a key was right, or of which key.
        """
        if key is not None and is_secret(key):
            return None
        if not self._tenants:
            return OPEN_TENANT
        presented = _digest(key or "")
        found: str | None = None
        for digest, tenant in self._tenants:
            if hmac.compare_digest(presented, digest):
                found = tenant
        return found

    def tenant(self, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
        """FastAPI dependency: the tenant of a request. Raises a 401 `ApiError`."""
        found = self.tenant_of(given.credentials if given else None)
        if found is None:
            raise ApiError(401, "invalid_api_key", _why(given), headers={"WWW-Authenticate": "Bearer"})
        return found


def _why(given: HTTPAuthorizationCredentials | None) -> str:
    if given is None:
        return "No API key: send it as a Bearer token."
    if is_secret(given.credentials):
        return "A client secret opens calls; this needs an API key."
    return "Incorrect API key provided."


def is_secret(presented: str) -> bool:
    """Whether this is meant to be an ephemeral secret."""
    return presented.startswith(SECRET_PREFIX)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
