"""nats-py's client, made not to wait for ever on a broker that takes nothing more."""

import asyncio

from nats.aio.client import Client
from nats.aio.transport import TcpTransport


class BoundedClient(Client):
    """Gives up what is unsent together with the connection.

    nats-py closes a connection in good order, also one that it has found dead: with unsent data that lasts
    until the other side reads on, or the system gives up after many minutes. So long it does not even try
    to connect again.
    """

    @property
    def unsent(self) -> int:
        """Bytes that the system has not taken yet."""
        socket = self._socket()
        return self.pending_data_size + (socket.get_write_buffer_size() if socket else 0)

    def drop_unsent(self) -> None:
        """End the connection at once."""
        self._pending.clear()
        self._pending_data_size = 0
        socket = self._socket()
        if socket is not None:
            socket.abort()

    async def _process_op_err(self, e: Exception) -> None:
        if not (self.is_closed or self.is_reconnecting):
            self.drop_unsent()
        await super()._process_op_err(e)

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except Exception:
            # A connection whose TLS handshake failed never says that it has closed, and nats-py waits for
            # that before it tries again. Without one it does not.
            self.drop_unsent()
            self._transport = None
            raise

    def _socket(self) -> asyncio.WriteTransport | None:
        transport = self._transport
        if isinstance(transport, TcpTransport) and transport._io_writer is not None:
            return transport._io_writer.transport
        return None
