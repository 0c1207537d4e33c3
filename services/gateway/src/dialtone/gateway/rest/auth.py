"""API keys: who a client is."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from dialtone.gateway.runtime.rates import Rates
from dialtone.gateway.settings import OPEN_TENANT, SECRET_PREFIX, GatewaySettings, split_api_key

from .errors import ApiError

TOO_OFTEN = "Too many requests with keys of this tenant, try again later."
_RETRY_AFTER_S = 5
_bearer = HTTPBearer(auto_error=False, description="An API key; not needed where none are configured.")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that counts, or did when its holder came."""

    tenant: str
    # Of tenant and key, by which what was done with the key is known; None: nobody needed one.
    fingerprint: str | None = None
    digest: bytes = field(default=b"", repr=False)


class ApiKeys:
    """The keys that count now. Where none are needed, everybody is the tenant "default"."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Those of `api_keys`; those of `api_keys_file` are brought by `replace_further`."""
        self._needed = settings.needs_keys
        self._fixed = _keys_of(settings.api_keys)
        self._keys = self._fixed
        per_minute = settings.tenant_requests_per_minute if self._needed else 0
        self._rates = Rates(per_minute) if per_minute else None
        calls = settings.max_calls_per_tenant or settings.max_calls
        self._returns = Rates(per_minute, at_once=calls) if per_minute else None

    def replace_further(self, entries: Iterable[SecretStr]) -> None:
        """These count beside those of the settings, and no others."""
        self._keys = self._fixed + _keys_of(entries)

    def counts(self, fingerprint: str | None) -> bool:
        """Whether a key that somebody came with is still one."""
        return fingerprint is None or any(key.fingerprint == fingerprint for key in self._keys)

    def comes_too_often(self, tenant: str, *, back: bool = False) -> bool:
        """Count a request of this tenant, or a handshake, wherever from; whether it is one too many.

        `back`: it goes on with a session. Those are counted by themselves, as many at once as there are
        places: when another gateway is lost, all of its calls come in the same second, and their clients
        asked for nothing more than they had. Of one whose session is not there the caller counts a request,
        too.
        """
        rates = self._returns if back else self._rates
        return rates is not None and rates.take(tenant, time.monotonic()) > 0

    def find(self, presented: str | None) -> ApiKey | None:
        """The key that this is; None: the client may not enter.

        An ephemeral secret is no key, not even where none are configured: it opens calls, nothing
        else. The time it takes tells nothing of how much of a key was right, or of which key.
        """
        if presented is not None and is_secret(presented):
            return None
        if not self._needed:
            return ApiKey(OPEN_TENANT)
        digest = _digest(presented or "")
        found: ApiKey | None = None
        for key in self._keys:
            if hmac.compare_digest(digest, key.digest):
                found = key
        return found

    def key(self, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> ApiKey:
        """FastAPI dependency: the key of a request. Raises a 401 or 429 `ApiError`."""
        found = self.find(given.credentials if given else None)
        if found is None:
            raise ApiError(401, "invalid_api_key", _why(given), headers={"WWW-Authenticate": "Bearer"})
        if self.comes_too_often(found.tenant):
            headers = {"Retry-After": str(_RETRY_AFTER_S)}
            raise ApiError(429, "rate_limit_exceeded", TOO_OFTEN, headers=headers)
        return found

    def tenant(self, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
        """FastAPI dependency: the tenant of a request. Raises a 401 or 429 `ApiError`."""
        return self.key(given).tenant


def _keys_of(entries: Iterable[SecretStr]) -> list[ApiKey]:
    keys = []
    for entry in entries:
        tenant, key = split_api_key(entry.get_secret_value())
        fingerprint = hashlib.sha256(f"{tenant}:{key}".encode()).hexdigest()
        keys.append(ApiKey(tenant, fingerprint, _digest(key)))
    return keys


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
