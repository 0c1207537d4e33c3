"""What JetStream itself says about a work queue."""

import asyncio
import json
import time

from dialtone.bus import Bus


class QueueState:
    """Asks the broker about the default pool of the LLM stage."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def messages(self) -> int:
        """Work in the stream: queued, running, or stuck."""
        info = json.loads(await self._bus.request("$JS.API.STREAM.INFO.WORK_LLM", b"", timeout=2))
        return int(info["state"]["messages"])

    async def empties(self, timeout: float = 5.0) -> None:
        """Wait until no work is left in the stream."""
        deadline = time.monotonic() + timeout
        while left := await self.messages():
            assert time.monotonic() < deadline, f"still in the stream: {left}"
            await asyncio.sleep(0.02)

    async def waiting_pulls(self) -> int:
        info = json.loads(
            await self._bus.request("$JS.API.CONSUMER.INFO.WORK_LLM.llm-default", b"", timeout=2)
        )
        return int(info["num_waiting"])
