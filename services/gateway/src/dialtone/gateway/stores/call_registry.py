"""Who has the call of a session: at most one call on one gateway, decided by Redis.

Every claim has an epoch, higher than those of all claims of the session before it. Writes to the session
carry it, and the stores refuse what is below the highest that they have seen: a gateway that lost a
session without noticing cannot write to it. Epochs follow the time of Redis in microseconds, so that they
grow on when Redis has forgotten the claims.

A claim names its gateway and is good as long as that lives, which one key a gateway says: its beat, with a
short time to live. So ten thousand calls are kept by a write every few seconds. The claims themselves run
out, too, but late: only to leave nothing behind of gateways that were killed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from dialtone.gateway.ids import new_id

from .redis_link import RedisLink

CLAIM_BEATS = 12
"""How many times longer than a beat a claim lasts without being renewed."""
_MOST_HOLDERS = 4  # that are looked at for one claim, while it changes hands

# A beat's key holds a number, which rises with each beat and each claim of its gateway.
#
# KEYS: this gateway's beat; ARGV: ttl in ms. Gives the number.
_BEAT = """
local number = tonumber(redis.call('GET', KEYS[1]) or '0') + 1
redis.call('SET', KEYS[1], number, 'PX', ARGV[1])
return number
"""

# KEYS: call, this gateway's beat, the beat of the gateway that is thought to have the call; ARGV: call id,
# gateway id, ttl of a claim and of a beat in ms, id of the call to take it from, the gateway that is thought
# to have it, least epoch. Gives the epoch and the number of the beat's key, or the gateway whose call has it:
# alive, if it is the one that was thought of. Epochs have up to 16 digits: numbers hold them.
_CLAIM = """
redis.call('SET', KEYS[2], '0', 'PX', ARGV[4], 'NX')
local call = redis.call('HGET', KEYS[1], 'call')
if call and call ~= ARGV[1] and call ~= ARGV[5] then
  local gateway = redis.call('HGET', KEYS[1], 'gateway')
  if gateway ~= ARGV[6] or redis.call('EXISTS', KEYS[3]) == 1 then return gateway end
end
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0')
if call ~= ARGV[1] then
  local time = redis.call('TIME')
  epoch = math.max(epoch + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
end
epoch = math.max(epoch, tonumber(ARGV[7]))
redis.call('HSET', KEYS[1], 'call', ARGV[1], 'gateway', ARGV[2], 'epoch', string.format('%.0f', epoch))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local number = tonumber(redis.call('GET', KEYS[2])) + 1
redis.call('SET', KEYS[2], number, 'KEEPTTL')
return {epoch, number}
"""

# KEYS: calls; ARGV: gateway id, ttl in ms, then of each call its id and epoch. Gives a 1 or 0 for each.
_RENEW = """
local held = {}
for i, key in ipairs(KEYS) do
  local call, epoch = ARGV[2 * i + 1], ARGV[2 * i + 2]
  local holder = redis.call('HGET', key, 'call')
  if holder and holder ~= call then
    held[i] = 0
  else
    redis.call('HSET', key, 'call', call, 'gateway', ARGV[1], 'epoch', epoch)
    redis.call('PEXPIRE', key, ARGV[2])
    held[i] = 1
  end
end
return held
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
    """Claims of sessions, as one gateway makes them. Methods raise `StoreUnavailable` when Redis does not
    answer: nobody can then know whether the session is free, so a new call must be refused.
    """

    def __init__(self, link: RedisLink, *, beat_s: float) -> None:
        """`beat_s`: for how long a beat keeps this gateway's claims. `beat` is to be called more often."""
        self.gateway_id = new_id("gateway")
        self.beat_s = beat_s
        self.claim_s = CLAIM_BEATS * beat_s
        self._link = link
        self._number = 0  # the highest of the beat's key that is known
        self._forgotten = False  # Redis has had a lower one since
        self._beat = link.client.register_script(_BEAT)
        self._claim = link.client.register_script(_CLAIM)
        self._renew = link.client.register_script(_RENEW)
        self._release = link.client.register_script(_RELEASE)

    async def beat(self) -> bool:
        """Say that this gateway lives; False: Redis may have forgotten claims, or given them away.

        Its key lacks a beat or a claim: it ran out, or Redis came back empty or with what it was a while
        ago. Claims are to be renewed then.
        """
        known = self._number
        key, ttl_ms = _beat_key(self.gateway_id), _ms(self.beat_s)
        number = cast(int, await self._link.run(lambda _: self._beat(keys=[key], args=[ttl_ms])))
        remembered = number > known and not self._forgotten
        self._number = max(self._number, number) if remembered else number
        self._forgotten = False
        return remembered

    async def leave(self) -> None:
        """All that this gateway has claimed is free from here on."""
        key = _beat_key(self.gateway_id)
        await self._link.run(lambda redis: redis.delete(key))

    async def wait_up(self) -> None:
        """Wait until Redis answers."""
        await self._link.wait_up()

    async def claim(
        self, tenant: str, session_id: str, *, call_id: str, over: str = "", above: int = 0
    ) -> int | None:
        """Take the session for this call; the claim's epoch, None: a living gateway's call has it.

        From the call `over` it is taken away. The epoch is to be `above` one that the session has seen;
        a call may claim again what it has for the sake of that.
        """
        thought = self.gateway_id
        for _ in range(_MOST_HOLDERS):
            keys = [_key(tenant, session_id), _beat_key(self.gateway_id), _beat_key(thought)]
            arguments: list[str | int] = [call_id, self.gateway_id, _ms(self.claim_s), _ms(self.beat_s)]
            arguments += [over, thought, above + 1]
            known = self._number
            taken = await self._run_claim(keys, arguments)
            if isinstance(taken, list):
                epoch, number = taken
                self._forgotten = self._forgotten or number <= known
                self._number = max(self._number, number)
                return epoch
            holder = taken.decode()
            if holder == thought:
                return None
            await self._link.settled()  # else a gateway that was cut off, too, would be taken for dead
            thought = holder
        return None

    async def _run_claim(self, keys: list[str], arguments: list[str | int]) -> list[int] | bytes:
        return cast(list[int] | bytes, await self._link.run(lambda _: self._claim(keys=keys, args=arguments)))

    async def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Hold each claim on; False: another call has taken that session.

        Some hundreds at most: Redis does nothing else meanwhile. A claim that ran out, or that Redis forgot
        in a restart, is taken anew if nobody else has it. Under its old epoch: somebody may have had the
        session meanwhile.
        """
        keys = [_key(claim.tenant, claim.session_id) for claim in claims]
        arguments: list[str | int] = [self.gateway_id, _ms(self.claim_s)]
        for claim in claims:
            arguments += (claim.call_id, claim.epoch)
        held = cast(list[int], await self._link.run(lambda _: self._renew(keys=keys, args=arguments)))
        return [bool(one) for one in held]

    async def release(self, tenant: str, session_id: str, *, call_id: str) -> bool:
        """Give the session back; False: this call did not have it."""
        key = _key(tenant, session_id)
        return bool(await self._link.run(lambda _: self._release(keys=[key], args=[call_id])))

    async def holder(self, tenant: str, session_id: str) -> CallHolder | None:
        """The call that has claimed the session, of a gateway that may be gone; None: none has."""
        key = _key(tenant, session_id)

        fields = cast(dict[bytes, bytes], await self._link.run(lambda redis: redis.hgetall(key)))
        if not fields:
            return None
        return CallHolder(fields[b"call"].decode(), fields[b"gateway"].decode())


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _key(tenant: str, session_id: str) -> str:
    return f"dialtone:{tenant}:call:{session_id}"


def _beat_key(gateway_id: str) -> str:
    return f"dialtone:gateway:{gateway_id}"
