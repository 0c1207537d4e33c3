"""With a tls:// URL nothing is said before the handshake, whatever the server claims."""

import asyncio

from pydantic import SecretStr

from dialtone.bus import Bus
from dialtone.settings import BusSettings
from tests.contract.bus.call_side import until

TLS_HANDSHAKE = 0x16


async def test_a_server_without_tls_never_sees_the_password() -> None:
    heard = bytearray()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.1","headers":true,"max_payload":1048576}\r\n')
        while chunk := await reader.read(4096):
            heard.extend(chunk)
        writer.close()

    server = await asyncio.start_server(pretend, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = BusSettings(
        nats_url=f"tls://127.0.0.1:{port}", nats_user="user", nats_password=SecretStr("s3cret")
    )
    connecting = asyncio.create_task(Bus.connect(settings, name="test"))
    await until(lambda: bool(heard), "the first bytes")
    connecting.cancel()
    await asyncio.wait({connecting}, timeout=10)
    server.close()
    assert connecting.cancelled()
    assert heard[0] == TLS_HANDSHAKE
    assert b"s3cret" not in heard
