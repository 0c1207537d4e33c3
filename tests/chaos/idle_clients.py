"""Calls in which nothing is said, in a process of their own: `python -m tests.chaos.idle_clients URL COUNT`.

Prints how many it has opened, holds them until its input ends, and prints how many were open until then.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from tests.bench.lean_socket import LeanSocket

_AT_ONCE = 20
_TRIES, _AGAIN_S = 20, 0.5  # as clients do who are told 503 or 429


async def hold(url: str, count: int) -> None:
    """Open so many, and keep them until the input ends."""
    places = asyncio.Semaphore(_AT_ONCE)
    opened: list[LeanSocket] = []

    async def open_one() -> None:
        created = asyncio.Event()
        async with places:
            for _ in range(_TRIES):
                try:
                    opened.append(await LeanSocket.connect(url, "/v1/realtime", lambda _text: created.set()))
                    await created.wait()
                    return
                except (OSError, TimeoutError) as error:
                    print(f"not opened: {type(error).__name__} {error}", file=sys.stderr)
                await asyncio.sleep(_AGAIN_S)

    await asyncio.gather(*(open_one() for _ in range(count)))
    print(len(opened), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(sum(not socket.gone for socket in opened), flush=True)
    for socket in opened:
        socket.close()


if __name__ == "__main__":
    uvloop.run(hold(sys.argv[1], int(sys.argv[2])))
