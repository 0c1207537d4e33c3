"""Sessions in Redis: the copy that a call and those who ask about it read.

One hash a session: `created_at`, `config`, `order` (the items' ids, as JSON), `item:<id>` for each
item, and `epoch`, the highest of the calls' claims that it has seen (see `call_registry`). It is whole or
not there; each change is one script, so it is never seen half done. The key goes when the session was not
used for the time to live.
"""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from dialtone.gateway.core.items import Item, SessionRecord
from dialtone.gateway.core.session import SessionConfig
from dialtone.telemetry import get_logger

from .errors import SessionDisplaced
from .redis_link import RedisLink
from .writes import CreateSession, DeleteItem, Fence, PutConfig, PutItem, Write

log = get_logger(__name__)

# KEYS: session; ARGV: ttl, the epoch up to which a copy that is there is replaced (-1: none is), epoch, then
# fields and values. A later call's copy, which may have more in it, is removed: that call makes another.
_FILL = """
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if ARGV[2] == '-1' then
  if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
else
  redis.call('DEL', KEYS[1])
  if epoch and tonumber(epoch) > tonumber(ARGV[2]) then return 0 end
end
if not epoch or tonumber(epoch) < tonumber(ARGV[3]) then epoch = ARGV[3] end
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], 'epoch', epoch)
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

# Before each change. ARGV: ttl, epoch of the change. Epochs have up to 16 digits: numbers hold them.
_FENCED = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if ARGV[2] ~= '0' then
  local seen = redis.call('HGET', KEYS[1], 'epoch')  -- none in a copy of before there were any
  if seen and tonumber(seen) > tonumber(ARGV[2]) then return -tonumber(seen) end
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
end
"""

# KEYS: session; ARGV: ttl, epoch.
_FENCE = f"""{_FENCED}
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

# KEYS: session; ARGV: ttl, epoch, configuration.
_PUT_CONFIG = f"""{_FENCED}
redis.call('HSET', KEYS[1], 'config', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

# KEYS: session; ARGV: ttl, epoch, item id, item, 1 to insert at the front, id of the item before.
_PUT_ITEM = (
    _FENCED
    + """
local field = 'item:' .. ARGV[3]
if redis.call('HEXISTS', KEYS[1], field) == 0 then
  local ids = cjson.decode(redis.call('HGET', KEYS[1], 'order'))
  local place = #ids + 1
  if ARGV[5] == '1' then place = 1
  else
    for i = #ids, 1, -1 do
      if ids[i] == ARGV[6] then place = i + 1 break end
    end
  end
  table.insert(ids, place, ARGV[3])
  redis.call('HSET', KEYS[1], 'order', cjson.encode(ids))
end
redis.call('HSET', KEYS[1], field, ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
)

# KEYS: session; ARGV: ttl, epoch, item id.
_DELETE_ITEM = (
    _FENCED
    + """
if redis.call('HDEL', KEYS[1], 'item:' .. ARGV[3]) == 1 then
  local left = {}
  for _, id in ipairs(cjson.decode(redis.call('HGET', KEYS[1], 'order'))) do
    if id ~= ARGV[3] then left[#left + 1] = id end
  end
  -- An empty table would be encoded as an object.
  redis.call('HSET', KEYS[1], 'order', #left == 0 and '[]' or cjson.encode(left))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
)


_read_config = msgspec.json.Decoder(SessionConfig).decode
_read_order = msgspec.json.Decoder(list[str]).decode
_read_item = msgspec.json.Decoder(Item).decode
_write = msgspec.json.Encoder().encode


class LiveSessions:
    """The Redis copies. All methods raise `StoreUnavailable`."""

    def __init__(self, link: RedisLink, *, ttl_s: int) -> None:
        self._link = link
        self._ttl_s = ttl_s
        self._fill = link.client.register_script(_FILL)
        self._fence = link.client.register_script(_FENCE)
        self._put_config = link.client.register_script(_PUT_CONFIG)
        self._put_item = link.client.register_script(_PUT_ITEM)
        self._delete_item = link.client.register_script(_DELETE_ITEM)

    async def get(self, tenant: str, session_id: str) -> SessionRecord | None:
        key = _key(tenant, session_id)

        async def read(redis: Redis) -> dict[bytes, bytes]:
            async with redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(key)
                pipe.expire(key, self._ttl_s)
                fields: dict[bytes, bytes] = (await pipe.execute())[0]
                return fields

        fields = await self._link.run(read)
        if not fields:
            return None
        try:
            created_at = float(fields[b"created_at"])
            epoch = int(fields.get(b"epoch", b"0"))
            config = _read_config(fields[b"config"])
            items = [_read_item(fields[b"item:" + name.encode()]) for name in _read_order(fields[b"order"])]
        except (KeyError, ValueError) as error:
            # Written by another version, perhaps; SQL has the session too.
            log.warning("unreadable session in redis", session_id=session_id, error=type(error).__name__)
            return None
        return SessionRecord(session_id, tenant, created_at, config, items, epoch)

    async def fill(self, record: SessionRecord, *, over: int = -1) -> None:
        """Make a copy of the whole session where there is none, or none that a later call than that of the
        epoch `over` has written to; such a one is dropped."""
        arguments: list[str | bytes | int] = [self._ttl_s, over, record.epoch]
        arguments += [b"created_at", repr(record.created_at), b"config", _write(record.config)]
        arguments += [b"order", _write([item.id for item in record.items])]
        for item in record.items:
            arguments += [f"item:{item.id}", _write(item)]
        key = _key(record.tenant, record.id)
        await self._link.run(lambda _: self._fill(keys=[key], args=arguments))

    async def apply(self, write: Write) -> bool:
        """Carry out a change on the copy; False if there is no copy. Raises `SessionDisplaced`."""
        if isinstance(write, CreateSession):
            await self.fill(write.record, over=write.record.epoch)
            return True
        script, more = self._script_of(write)
        keys = [_key(write.tenant, write.session_id)]
        arguments: list[str | bytes | int] = [self._ttl_s, write.epoch, *more]
        result = int(await self._link.run(lambda _: script(keys=keys, args=arguments)))
        if result < 0:
            raise SessionDisplaced(-result)
        return bool(result)

    def _script_of(self, write: Write) -> tuple[AsyncScript, list[str | bytes | int]]:
        """What carries out a change, and its arguments."""
        match write:
            case Fence():
                return self._fence, []
            case PutConfig(config=config):
                return self._put_config, [_write(config)]
            case PutItem(item=item, after=after):
                return self._put_item, [item.id, _write(item), int(after is None), after or ""]
            case DeleteItem(item_id=item_id):
                return self._delete_item, [item_id]
        raise TypeError(f"no change of a copy: {type(write).__name__}")

    async def drop(self, tenant: str, session_id: str) -> None:
        key = _key(tenant, session_id)
        await self._link.run(lambda redis: redis.delete(key))


def _key(tenant: str, session_id: str) -> str:
    return f"dialtone:{tenant}:session:{session_id}"
