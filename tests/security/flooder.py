"""`python -m tests.security.flooder URL NAME CLIENTS SECONDS`: clients whom others must not notice.

A process of its own, so that what the neighbours of a flood measure is not how busy the flooders are.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress

from tests.fuzz.raw import PING, TEXT, frame, handshake

REALTIME = "/v1/realtime?model=default"
UPDATE = b'{"type": "session.update", "session": {"type": "realtime", "instructions": "Sing."}}'
CLEAR = b'{"type": "input_audio_buffer.clear"}'
APPEND = b'{"type": "input_audio_buffer.append", "audio": "%s"}'

FLOODS: dict[str, bytes] = {
    "events": frame(TEXT, CLEAR) * 500,
    "session updates": frame(TEXT, UPDATE) * 500,
    "responses": frame(TEXT, b'{"type": "response.create"}') * 500,
    "empty frames": frame(TEXT, b"") * 4000,
    "pings": frame(PING, b"x") * 4000,
    "fragments": (frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 2000),
    "deep frames": frame(TEXT, b"[" * 60_000) * 4,
    "64 KiB frames": frame(TEXT, b"x" * 65_536) * 4,
    "too large": frame(TEXT, APPEND % (b"A" * 2**25)),
}
ANSWERED_S = 0.05  # what comes before a handshake is answered is lost


async def flood(url: str, sent: bytes, until: float) -> None:
    """Write as fast as it is taken, coming again when shown out, and read what comes."""
    host, _, port = url.removeprefix("http://").partition(":")
    while time.monotonic() < until:
        reader, writer = await asyncio.open_connection(host, int(port))
        draining = asyncio.create_task(_read_all(reader))
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + until - time.monotonic()):
                writer.write(handshake(REALTIME))
                await asyncio.sleep(ANSWERED_S)
                while not draining.done():
                    writer.write(sent)
                    await writer.drain()
        writer.transport.abort()
        draining.cancel()
        await asyncio.wait({draining})


async def _read_all(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        while await reader.read(65_536):
            pass


async def main(url: str, name: str, clients: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    await asyncio.gather(*(flood(url, FLOODS[name], until) for _ in range(clients)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
