"""One delivery of a message from a work queue, and the words that JetStream understands about it."""

import json
from dataclasses import dataclass

from dialtone.bus.connection import Bus, Message


@dataclass(slots=True)
class Delivery:
    """`count` is 1 for the first delivery of this message."""

    bus: Bus
    subject: str
    data: bytes
    reply: str
    count: int

    @classmethod
    def of(cls, bus: Bus, message: Message) -> "Delivery":
        """Read the count from the reply subject, where JetStream puts it.

        `$JS.ACK.<stream>.<consumer>.<count>...`, or with `<domain>.<account>` before the stream.
        """
        tokens = message.reply.split(".")
        count = int(tokens[4] if len(tokens) == 9 else tokens[6])
        return cls(bus, message.subject, message.data, message.reply, count)

    async def ack(self) -> None:
        """Done: the message leaves the queue."""
        await self.bus.publish(self.reply, b"+ACK")

    async def in_progress(self) -> None:
        """Still working: the ack wait begins anew."""
        await self.bus.publish(self.reply, b"+WPI")

    async def nak(self, delay: float = 0.0) -> None:
        """Give it to another worker, after `delay` s."""
        word = b"-NAK"
        if delay > 0:
            word += b" " + json.dumps({"delay": round(delay * 1e9)}).encode()
        await self.bus.publish(self.reply, word)

    async def term(self) -> None:
        """Never deliver it again."""
        await self.bus.publish(self.reply, b"+TERM")
