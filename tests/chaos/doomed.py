"""A client in a process of its own, for somebody to end: `python -m tests.chaos.doomed URL`.

Sends the lines of its input, says so once it is spoken to, and stays.
"""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.client import connect


async def be_spoken_to(url: str) -> None:
    """Hold a call until the end of the process."""
    lines = sys.stdin.read().splitlines()
    async with connect(url, compression=None, proxy=None, max_size=2**24) as socket:
        for line in lines:
            await socket.send(line)
        while '"type":"response.output_audio.delta"' not in str(await socket.recv()):
            pass
        print("spoken to", flush=True)
        await socket.wait_closed()


if __name__ == "__main__":
    asyncio.run(be_spoken_to(sys.argv[1]))
