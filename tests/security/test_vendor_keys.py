"""Keys of vendors come from the environment or a file, reach their servers, and are told nowhere: not by the
log at its most talkative, nor by what fails, also where a server repeats what it was sent."""

import asyncio
import base64
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.security.asking_vendors import BACKENDS, KEY_ENV

KEY = "sk-canary-8Wq2ZkTv0Lp5"
Reply = Callable[[str], bytes]


def _http(status: int, body: str, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} {KEY}\r\ncontent-type: {kind}\r\ncontent-length: {len(body.encode())}\r\n"
    return f"{head}www-authenticate: {KEY}\r\n{more}connection: close\r\n\r\n{body}".encode()


def _error(head: str) -> str:
    told = {"message": f"no such key: {KEY} in {head}", "type": KEY, "code": KEY, "status": KEY}
    status = {"status_code": 1004, "status_msg": f"login fail: {KEY} {head}"}
    return json.dumps({"error": told, "base_resp": status, "err_code": KEY, "err_msg": head})


REPLIES: dict[str, Reply] = {
    "refused": lambda head: _http(401, _error(head)),
    "broken": lambda head: _http(500, _error(head)),
    "invalid": lambda head: _http(400, json.dumps({"detail": head, "message": head, "object": "error"})),
    "an error in a 200": lambda head: _http(200, _error(head)),
    "an error in a stream": lambda head: _http(200, f"data: {_error(head)}\n\n", "text/event-stream"),
    "no JSON": lambda head: _http(200, f"{KEY} {head}", KEY),
    "sent elsewhere": lambda head: _http(302, head, more=f"location: http://127.0.0.1:1/?key={KEY}\r\n"),
    "no HTTP": lambda head: f"{KEY} {head}\r\n\r\n".encode(),
}


@asynccontextmanager
async def _echoing(reply: Reply) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that repeats what it is sent, its URL, and the heads of the requests."""
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        heads.append(head)
        length = next(
            (line[15:] for line in head.lower().split("\r\n") if line[:15] == "content-length:"), "0"
        )
        await reader.readexactly(int(length))
        writer.write(reply(head))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
    server.close()


@pytest.mark.parametrize("source", ["environment", "file"])
async def test_no_key_of_a_vendor_is_told(tmp_path: Path, source: str) -> None:
    kept = tmp_path / "key"
    kept.write_text(f"{KEY}\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(KEY_ENV)}
    environment |= {f"{KEY_ENV}_FILE": str(kept)} if source == "file" else {KEY_ENV: KEY}
    async with AsyncExitStack() as stack:
        echoes = {what: await stack.enter_async_context(_echoing(reply)) for what, reply in REPLIES.items()}
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.security.asking_vendors", *(url for url, _ in echoes.values())),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(asking.communicate(), 180)
        finally:
            if asking.returncode is None:
                asking.kill()
    said = output.decode()
    assert asking.returncode == 0, said
    for backend, (what, (_, heads)) in itertools.product(BACKENDS, echoes.items()):
        asked = [head for head in heads if f"/{backend.replace(' ', '-')}" in head]
        assert asked, f"{backend}: {what} asked nobody"
        assert all(KEY in head for head in asked), f"{backend} did not give its key"
        assert not any(KEY in head.split("\r\n")[0] for head in asked), f"{backend} puts its key in a URL"
    for secret in (KEY, base64.b64encode(KEY.encode()).decode()):
        lines = [line for line in said.splitlines() if secret in line]
        assert not lines, lines
