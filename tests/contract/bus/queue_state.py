"""What JetStream itself says about a work queue."""

import asyncio
import json
import time

from dialtone.bus import Bus, Stage
from dialtone.bus.subjects import consumer_name, stream_name


class QueueState:
    """Asks the broker about the default pool of a stage."""

    def __init__(self, bus: Bus, stage: Stage = Stage.LLM) -> None:
        self._bus = bus
        self._stream = stream_name(stage)
        self._consumer = consumer_name(stage, "default")

    async def messages(self) -> int:
        """Work in the stream: queued, running, or stuck."""
        info = json.loads(await self._bus.request(f"$JS.API.STREAM.INFO.{self._stream}", b"", timeout=2))
        return int(info["state"]["messages"])

    async def empties(self, timeout: float = 5.0) -> None:
        """Wait until no work is left in the stream."""
        deadline = time.monotonic() + timeout
        while left := await self.messages():
            assert time.monotonic() < deadline, f"still in the stream: {left}"
            await asyncio.sleep(0.02)

    async def waiting_pulls(self) -> int:
        about = f"$JS.API.CONSUMER.INFO.{self._stream}.{self._consumer}"
        info = json.loads(await self._bus.request(about, b"", timeout=2))
        return int(info["num_waiting"])
