"""Who has the call of a session: at most one call on one gateway, decided by Redis."""

from __future__ import annotations

from typing import cast

import msgspec

from .redis_link import RedisLink

# KEYS: call; ARGV: call id, gateway id, ttl in ms.
_CLAIM = """
local holder = redis.call('HGET', KEYS[1], 'call')
if holder and holder ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'call', ARGV[1], 'gateway', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

# KEYS: call; ARGV: call id.
_RELEASE = """
if redis.call('HGET', KEYS[1], 'call') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class CallHolder(msgspec.Struct, frozen=True):
    call_id: str
    gateway_id: str


class CallRegistry:
    """Claims of sessions. Every method raises `StoreUnavailable` when Redis does not answer: nobody can
    then know whether the session is free, so a new call must be refused.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._claim = link.client.register_script(_CLAIM)
        self._release = link.client.register_script(_RELEASE)

    async def claim(
        self, tenant: str, session_id: str, *, call_id: str, gateway_id: str, ttl_s: float
    ) -> bool:
        """Take the session for this call for `ttl_s` seconds, or hold it so much longer; False: another
        call has it. A claim that ran out, or that Redis forgot in a restart, is taken anew."""
        arguments: list[str | int] = [call_id, gateway_id, max(1, round(ttl_s * 1000))]
        key = _key(tenant, session_id)
        return bool(await self._link.run(lambda _: self._claim(keys=[key], args=arguments)))

    async def release(self, tenant: str, session_id: str, *, call_id: str) -> bool:
        """Give the session back; False: this call did not have it."""
        key = _key(tenant, session_id)
        return bool(await self._link.run(lambda _: self._release(keys=[key], args=[call_id])))

    async def holder(self, tenant: str, session_id: str) -> CallHolder | None:
        """The live call of the session, if there is one."""
        key = _key(tenant, session_id)

        fields = cast(dict[bytes, bytes], await self._link.run(lambda redis: redis.hgetall(key)))
        if not fields:
            return None
        return CallHolder(fields[b"call"].decode(), fields[b"gateway"].decode())


def _key(tenant: str, session_id: str) -> str:
    return f"dialtone:{tenant}:call:{session_id}"
