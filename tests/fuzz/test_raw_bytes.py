"""Bytes that no client library writes, at the handshake and after it: the connection is refused or ended,
and nobody else notices."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.effort import examples
from tests.fixtures.waiting import eventually

from .raw import TEXT, frame, handshake, torn_handshakes, wild_frames
from .target import Target
from .test_frames import HARD
from .witness import Witness

REALTIME = "/v1/realtime?model=default"
EACH = 40
RESET = struct.pack("ii", 1, 0)


async def write_and_leave(target: Target, pieces: list[bytes], *, read: bool, rude: bool) -> None:
    """Write the pieces; see what comes, for a moment; leave, with a reset where that is rude."""
    reader, writer = await asyncio.open_connection(*target.address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if read:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    while await reader.read(65_536):
                        pass
    except ConnectionError:
        pass  # it was refused before all was written
    finally:
        if rude:
            with suppress(OSError):  # it is closed already
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.timeout(3600)
def test_no_handshake_harms_anyone(target: Target) -> None:
    with target.unharmed():

        @settings(HARD, max_examples=examples(80))
        @given(data=torn_handshakes(), read=st.booleans(), rude=st.booleans())
        def fuzz(data: bytes, read: bool, rude: bool) -> None:
            target.run(write_and_leave(target, [data], read=read, rude=rude))

        fuzz()


@pytest.mark.timeout(3600)
def test_no_bytes_after_the_handshake_harm_anyone(target: Target) -> None:
    with target.unharmed():

        @settings(HARD, max_examples=examples(80))
        @given(wild=st.lists(wild_frames(), max_size=4), read=st.booleans(), rude=st.booleans())
        def fuzz(wild: list[bytes], read: bool, rude: bool) -> None:
            target.run(write_and_leave(target, [handshake(REALTIME), *wild], read=read, rude=rude))

        fuzz()


HALF_OPEN = [
    b"",
    b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgra",
    handshake(REALTIME) + frame(TEXT, b'{"type":"input_audio_buffer.append","audio":"AAAA')[:-5],
    handshake("/chat/voice_call"),  # no session is named
]


async def opened_half(target: Target, first: bytes) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(*target.address)
    writer.write(first)
    return writer


def test_a_flood_of_half_open_connections_harms_no_one(target: Target) -> None:
    async def flood(witness: Witness) -> None:
        writers = await asyncio.gather(*(opened_half(target, first) for first in HALF_OPEN * EACH))
        turns = witness.turns

        async def all_of_a_turn_passes() -> bool:
            return witness.turns > turns + 1

        await eventually(all_of_a_turn_passes, within_s=60)
        for writer in writers:
            writer.transport.abort()

    with target.unharmed() as witness:
        target.run(flood(witness))
