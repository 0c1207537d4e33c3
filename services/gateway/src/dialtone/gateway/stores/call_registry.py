"""Who has the call of a session: at most one call on one gateway, decided by Redis.

Every claim has an epoch, higher than those of all claims of the session before it. Writes to the session
carry it, and the stores refuse what is below the highest that they have seen: a gateway that lost a
session without noticing cannot write to it. Epochs follow the time of Redis in microseconds, so that they
grow on when Redis has forgotten the claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from .redis_link import RedisLink

# KEYS: call; ARGV: call id, gateway id, ttl in ms, id of the call to take it from, least epoch.
# Gives the epoch; 0: another call has it. Epochs have up to 16 digits: numbers hold them.
_CLAIM = """
local holder = redis.call('HGET', KEYS[1], 'call')
if holder and holder ~= ARGV[1] and holder ~= ARGV[4] then return 0 end
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0')
if holder ~= ARGV[1] then
  local time = redis.call('TIME')
  epoch = math.max(epoch + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
end
epoch = math.max(epoch, tonumber(ARGV[5]))
redis.call('HSET', KEYS[1], 'call', ARGV[1], 'gateway', ARGV[2], 'epoch', string.format('%.0f', epoch))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return epoch
"""

# KEYS: calls; ARGV: gateway id, ttl in ms, id and epoch of each call with blanks between all of them: one
# argument, since a gateway may renew thousands a second, and each argument is encoded by itself. Gives the
# places, from 0, of those that other calls have.
_RENEW = """
local lost, i = {}, 0
for call, epoch in string.gmatch(ARGV[3], '(%S+) (%S+)') do
  i = i + 1
  local holder = redis.call('HGET', KEYS[i], 'call')
  if holder and holder ~= call then
    lost[#lost + 1] = i - 1
  else
    redis.call('HSET', KEYS[i], 'call', call, 'gateway', ARGV[1], 'epoch', epoch)
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  end
end
return lost
"""

# KEYS: call; ARGV: call id.
_RELEASE = """
if redis.call('HGET', KEYS[1], 'call') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class CallHolder(msgspec.Struct, frozen=True):
    call_id: str
    gateway_id: str


class Claim(msgspec.Struct, frozen=True):
    """What a call has of its session, since it claimed it."""

    tenant: str
    session_id: str
    call_id: str
    epoch: int


class CallRegistry:
    """Claims of sessions. Every method raises `StoreUnavailable` when Redis does not answer: nobody can
    then know whether the session is free, so a new call must be refused.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._claim = link.client.register_script(_CLAIM)
        self._renew = link.client.register_script(_RENEW)
        self._release = link.client.register_script(_RELEASE)

    async def claim(
        self,
        tenant: str,
        session_id: str,
        *,
        call_id: str,
        gateway_id: str,
        ttl_s: float,
        over: str = "",
        above: int = 0,
    ) -> int | None:
        """Take the session for this call for `ttl_s` seconds; the claim's epoch, None: another call has it.

        From the call `over` it is taken away. The epoch is to be `above` one that the session has seen;
        a call may claim again what it has for the sake of that.
        """
        arguments: list[str | int] = [call_id, gateway_id, _ms(ttl_s), over, above + 1]
        key = _key(tenant, session_id)
        return int(await self._link.run(lambda _: self._claim(keys=[key], args=arguments))) or None

    async def renew(self, claims: Sequence[Claim], *, gateway_id: str, ttl_s: float) -> list[bool]:
        """Hold each claim for `ttl_s` seconds more; False: another call has taken that session.

        Some hundreds at most: Redis does nothing else meanwhile. A claim that ran out, or that Redis forgot
        in a restart, is taken anew if nobody else has it. Under its old epoch: somebody may have had the
        session meanwhile.
        """
        keys = [_key(claim.tenant, claim.session_id) for claim in claims]
        calls = " ".join([f"{claim.call_id} {claim.epoch}" for claim in claims])
        arguments: list[str | int] = [gateway_id, _ms(ttl_s), calls]
        lost = cast(list[int], await self._link.run(lambda _: self._renew(keys=keys, args=arguments)))
        return [place not in lost for place in range(len(claims))]

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


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _key(tenant: str, session_id: str) -> str:
    return f"dialtone:{tenant}:call:{session_id}"
