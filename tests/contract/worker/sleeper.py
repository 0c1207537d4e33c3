"""A worker process whose work takes as long as the SLEEP variable says, and its loading LOAD seconds.

It runs as any service does: python -m tests.contract.worker.sleeper
"""

import asyncio
import os

from dialtone.bus import Lease, Stage
from dialtone.settings import ServiceSettings
from dialtone.v1.turn_pb2 import TextDelta
from dialtone.worker import Loaded, run_worker


async def load() -> Loaded:
    async def handler(lease: Lease) -> None:
        await asyncio.sleep(float(os.environ.get("SLEEP", "0")))
        await lease.send(text=TextDelta(text="slept"))

    if os.environ.get("LOAD") == "fails":
        raise FileNotFoundError("no such model")
    await asyncio.sleep(float(os.environ.get("LOAD", "0")))
    return Loaded(handler, slots=2)


if __name__ == "__main__":
    run_worker(service="sleeper", stage=Stage.LLM, settings=ServiceSettings(), load=load)
