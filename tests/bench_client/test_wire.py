"""What the bench puts on the wire is what a WebSocket server reads, and stamps survive the way."""

from __future__ import annotations

import asyncio
import base64
import json
from array import array

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.bench.lean_socket import LeanSocket
from tests.bench.metronome import Metronome
from tests.bench.stamps import age_of_base64, age_s, stamp
from tests.bench.wire import append_frame, read_event, text_frame


@pytest.mark.parametrize("size", [5, 125, 126, 960, 65_535, 70_000])
async def test_ready_made_frames_are_read_by_a_real_server_and_its_messages_by_the_lean_client(
    size: int,
) -> None:
    heard: list[str] = []
    echoed: asyncio.Queue[bytes] = asyncio.Queue()

    async def echo(connection: ServerConnection) -> None:
        try:
            async for message in connection:
                heard.append(str(message))
                await connection.ping()
                await connection.send(message)
        except ConnectionClosed:
            return

    async with serve(echo, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        socket = await LeanSocket.connect(f"ws://127.0.0.1:{port}", "/", echoed.put_nowait)
        text = b"x" * size
        for _ in range(3):
            socket.write(text_frame(text))
            assert await asyncio.wait_for(echoed.get(), 5.0) == text
        assert not socket.gone
        socket.close()
    assert heard == [text.decode()] * 3


async def test_a_handshake_that_is_refused_is_told() -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError, match="503"):
            await LeanSocket.connect(f"ws://127.0.0.1:{port}", "/", lambda _text: None)


def test_an_append_frame_holds_the_samples() -> None:
    pcm = bytes(range(240)) * 4
    frame = append_frame(pcm)
    event = json.loads(frame[frame.index(b"{") :])
    assert event["type"] == "input_audio_buffer.append"
    assert base64.b64decode(event["audio"]) == pcm


def test_a_stamp_tells_its_age_in_samples_and_in_base64() -> None:
    audio = stamp() + bytes(936)
    assert 0 <= (age_s(audio) or 0) < 5
    assert 0 <= (age_of_base64(base64.b64encode(audio)) or 0) < 5
    assert age_s(bytes(960)) is None
    assert age_s(b"short") is None


def test_an_event_is_read_whatever_else_it_holds() -> None:
    event = read_event(
        '{"type":"response.done","response":{"status":"completed","output":[1]},"event_id":"e"}'
    )
    assert event.type == "response.done"
    assert event.response is not None
    assert event.response.status == "completed"


async def test_a_metronome_keeps_its_schedule_when_beats_come_late() -> None:
    lateness = array("d")
    done = asyncio.Event()

    def beat() -> None:
        if len(lateness) == 10:
            done.set()

    metronome = Metronome(0.01, beat, lateness)
    start = asyncio.get_running_loop().time()
    metronome.start()
    await asyncio.wait_for(done.wait(), 5.0)
    metronome.stop()
    assert asyncio.get_running_loop().time() - start >= 0.095
    assert min(lateness) >= 0.0
