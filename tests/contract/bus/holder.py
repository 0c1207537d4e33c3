"""A worker in a process of its own that takes work and never finishes it: to be killed or frozen.

python -m tests.contract.bus.holder <nats url> <worker id>
"""

import asyncio
import sys

from dialtone.bus import Bus, Lease, LeaseWorker, Stage
from dialtone.settings import BusSettings
from dialtone.v1.turn_pb2 import TextDelta


async def main(url: str, worker_id: str) -> None:
    async def hold(lease: Lease) -> None:
        while True:
            await lease.send(text=TextDelta(text=worker_id))
            await asyncio.sleep(0.02)

    bus = await Bus.connect(BusSettings(nats_url=url), name=worker_id)
    await LeaseWorker(bus, Stage.LLM, hold, slots=2, worker_id=worker_id).run()


asyncio.run(main(sys.argv[1], sys.argv[2]))
