"""A client in a process of its own, for somebody to end: `python -m tests.chaos.doomed URL`.

Sends the lines of its input, says so once it is spoken to, and stays; says the close code, if there is one.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


async def be_spoken_to(url: str) -> None:
    """Hold a call until the end of the process, or of the call."""
    lines = sys.stdin.read().splitlines()
    async with connect(url, compression=None, proxy=None, max_size=2**24) as socket:
        for line in lines:
            await socket.send(line)
        while '"type":"response.output_audio.delta"' not in str(await socket.recv()):
            pass
        print("spoken to", flush=True)
        with suppress(ConnectionClosed):
            while True:  # unread, it would not know of the end
                await socket.recv()
        print(socket.close_code, flush=True)


if __name__ == "__main__":
    asyncio.run(be_spoken_to(sys.argv[1]))
