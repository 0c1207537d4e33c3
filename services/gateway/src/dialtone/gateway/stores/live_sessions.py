"""Sessions in Redis: the copy that a call and those who ask about it read.

One hash a session: `created_at`, `config`, `order` (the items' ids, as JSON) and `item:<id>` for each
item. It is whole or not there; each change is one script, so it is never seen half done. The key goes
when the session was not used for the time to live.
"""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from dialtone.gateway.core.items import Item, SessionRecord
from dialtone.gateway.core.session import SessionConfig
from dialtone.telemetry import get_logger

from .redis_link import RedisLink
from .writes import CreateSession, DeleteItem, PutConfig, PutItem, Write

log = get_logger(__name__)

# KEYS: session; ARGV: ttl, 1 to replace what is there, then fields and values.
_FILL = """
if ARGV[2] == '1' then redis.call('DEL', KEYS[1])
elseif redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

# KEYS: session; ARGV: ttl, configuration.
_PUT_CONFIG = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'config', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

# KEYS: session; ARGV: ttl, item id, item, 1 to insert at the front, id of the item before.
_PUT_ITEM = """
local order = redis.call('HGET', KEYS[1], 'order')
if not order then return 0 end
local field = 'item:' .. ARGV[2]
if redis.call('HEXISTS', KEYS[1], field) == 0 then
  local ids = cjson.decode(order)
  local place = #ids + 1
  if ARGV[4] == '1' then place = 1
  else
    for i = #ids, 1, -1 do
      if ids[i] == ARGV[5] then place = i + 1 break end
    end
  end
  table.insert(ids, place, ARGV[2])
  redis.call('HSET', KEYS[1], 'order', cjson.encode(ids))
end
redis.call('HSET', KEYS[1], field, ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

# KEYS: session; ARGV: ttl, item id.
_DELETE_ITEM = """
local order = redis.call('HGET', KEYS[1], 'order')
if not order then return 0 end
if redis.call('HDEL', KEYS[1], 'item:' .. ARGV[2]) == 1 then
  local left = {}
  for _, id in ipairs(cjson.decode(order)) do
    if id ~= ARGV[2] then left[#left + 1] = id end
  end
  -- An empty table would be encoded as an object.
  redis.call('HSET', KEYS[1], 'order', #left == 0 and '[]' or cjson.encode(left))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""


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
            config = _read_config(fields[b"config"])
            items = [_read_item(fields[b"item:" + name.encode()]) for name in _read_order(fields[b"order"])]
        except (KeyError, ValueError) as error:
            # Written by another version, perhaps; SQL has the session too.
            log.warning("unreadable session in redis", session_id=session_id, error=type(error).__name__)
            return None
        return SessionRecord(session_id, tenant, created_at, config, items)

    async def fill(self, record: SessionRecord, *, replace: bool) -> None:
        """Make a copy of the whole session; with `replace` False only where there is none."""
        arguments: list[str | bytes | int] = [self._ttl_s, int(replace)]
        arguments += [b"created_at", repr(record.created_at), b"config", _write(record.config)]
        arguments += [b"order", _write([item.id for item in record.items])]
        for item in record.items:
            arguments += [f"item:{item.id}", _write(item)]
        key = _key(record.tenant, record.id)
        await self._link.run(lambda _: self._fill(keys=[key], args=arguments))

    async def apply(self, write: Write) -> bool:
        """Carry out a change on the copy; False if there is no copy."""
        if isinstance(write, CreateSession):
            await self.fill(write.record, replace=True)
            return True
        keys = [_key(write.tenant, write.session_id)]
        if isinstance(write, PutItem):
            arguments: list[str | bytes | int] = [self._ttl_s, write.item.id, _write(write.item)]
            arguments += [int(write.after is None), write.after or ""]
            return bool(await self._link.run(lambda _: self._put_item(keys=keys, args=arguments)))
        if isinstance(write, DeleteItem):
            item_id = write.item_id
            return bool(
                await self._link.run(lambda _: self._delete_item(keys=keys, args=[self._ttl_s, item_id]))
            )
        assert isinstance(write, PutConfig)
        config = _write(write.config)
        return bool(await self._link.run(lambda _: self._put_config(keys=keys, args=[self._ttl_s, config])))

    async def drop(self, tenant: str, session_id: str) -> None:
        key = _key(tenant, session_id)
        await self._link.run(lambda redis: redis.delete(key))


def _key(tenant: str, session_id: str) -> str:
    return f"dialtone:{tenant}:session:{session_id}"
