"""A worker that runs one step, and says how it ended: `python -m tests.fence.one_step WITHIN SECONDS`."""

import asyncio
import functools
import sys

from dialtone.fence import ModelLost, ModelProcess
from tests.fence.fragile import Fragile, load


async def main(within_s: float, seconds: float) -> None:
    model = ModelProcess("fragile", functools.partial(load, "Hello"))
    await model.start()
    try:
        print(await model.run(within_s, Fragile.says_so_and_sleeps, seconds), flush=True)
    except ModelLost as lost:
        print(repr(lost), flush=True)
    await model.close()


if __name__ == "__main__":
    asyncio.run(main(*map(float, sys.argv[1:])))
