"""Ephemeral secrets: what a server gives a browser, so that it can open calls without the API key.

Redis alone has them, under the digest of the secret, until they expire: whoever reads Redis cannot
use them. A gateway that loses its Redis has lost them, as their short life allows.
"""

from __future__ import annotations

import hashlib
import re
import time

import msgspec

from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.ids import new_id
from dialtone.gateway.settings import SECRET_PREFIX
from dialtone.telemetry import get_logger

from .redis_link import RedisLink

log = get_logger(__name__)

LONGEST_S = 7200

# KEYS: secret, the tenant's live secrets; ARGV: digest, value, ttl in ms, most live secrets, longest ttl.
_KEEP = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 1
"""

# KEYS: secret, the tenant's live secrets; ARGV: digest. The tenant's list names it until it would have
# expired: calling back again has the same answer, and who does so on and on stays within the bound.
_REVOKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expires = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not expires or tonumber(expires) <= now then return 0 end
redis.call('DEL', KEYS[1])
return 1
"""

_ID = re.compile(r"secret_([0-9a-f]{64})")


class ClientSecret(msgspec.Struct, frozen=True):
    """What a secret opens: calls of this tenant, beginning with this configuration."""

    tenant: str
    expires_at: int  # unix seconds
    config: SessionConfig | None = None  # None: what the socket asks for
    session_id: str | None = None  # the one session that it opens, instead of new ones
    key: str | None = None  # fingerprint of the API key that it was made with, and counts as long as
    locked: tuple[str, ...] = ()  # session fields that its calls may not change; see `core.locks`


class Minted(msgspec.Struct, frozen=True):
    """A secret that was just made."""

    value: str  # `ek_` and 128 random bits; kept nowhere
    id: str  # by which it is called back; opens nothing
    expires_at: int  # unix seconds


class TooManySecrets(Exception):
    """The tenant has as many live secrets as it may."""


class ClientSecrets:
    """Makes secrets and knows those that live. All methods raise `StoreUnavailable`."""

    def __init__(self, link: RedisLink, *, most: int) -> None:
        """`most`: live secrets that one tenant may have."""
        self._link = link
        self._most = most
        self._keep = link.client.register_script(_KEEP)
        self._revoke = link.client.register_script(_REVOKE)

    async def mint(
        self,
        tenant: str,
        *,
        seconds: int,
        config: SessionConfig | None,
        session_id: str | None = None,
        key: str | None = None,
        locked: tuple[str, ...] = (),
    ) -> Minted:
        """Make a secret of this tenant. Raises TooManySecrets."""
        now = time.time()
        secret = ClientSecret(tenant, int(now) + seconds, config, session_id, key, locked)
        value = new_id(SECRET_PREFIX.removesuffix("_"))
        digest = _digest(value)
        ttl_ms = secret.expires_at * 1000 - int(now * 1000)
        keys = [_key(digest), _list_key(tenant)]
        stored = msgspec.json.encode(secret)
        arguments: list[str | bytes | int] = [digest, stored, ttl_ms, self._most, LONGEST_S * 1000]
        if not await self._link.run(lambda _: self._keep(keys=keys, args=arguments)):
            raise TooManySecrets
        return Minted(value, f"secret_{digest}", secret.expires_at)

    async def revoke(self, tenant: str, secret_id: str) -> bool:
        """Call a secret back: from now on it opens nothing. Again, for one that is called back already.

        False: the tenant has none of this id, or it has expired.
        """
        named = _ID.fullmatch(secret_id)
        if named is None:
            return False
        keys = [_key(named[1]), _list_key(tenant)]
        return bool(await self._link.run(lambda _: self._revoke(keys=keys, args=[named[1]])))

    async def find(self, value: str) -> ClientSecret | None:
        """What this secret opens; None: there is none such, it has expired or was called back."""
        key = _key(_digest(value))
        stored = await self._link.run(lambda redis: redis.get(key))
        if stored is None:
            return None
        try:
            return msgspec.json.decode(stored, type=ClientSecret)
        except msgspec.DecodeError as error:
            # Written by another version, perhaps: its holder gets a new one as after an expiry.
            log.warning("unreadable client secret in redis", error=str(error))
            return None


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()


def _key(digest: str) -> str:
    return f"dialtone:secret:{digest}"


def _list_key(tenant: str) -> str:
    return f"dialtone:{tenant}:secrets"
