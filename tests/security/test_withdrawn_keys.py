"""A key that is taken out of the file of keys is out: its calls end, those of others go on (S5)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.fixtures.gateway import Gateway, running_gateway
from tests.fixtures.waiting import eventually

OLD, KEPT = "old-key-0123456789", "kept-key-0123456789"
REALTIME = "/v1/realtime?model=default"
ENDED_S = 5.0  # which are two on a machine that has nothing else to do


@dataclass(frozen=True, slots=True)
class Guarded:
    gateway: Gateway
    keys: Path

    def write(self, *entries: str) -> None:
        """As whoever manages secrets does it: the new file takes the place of the old one."""
        new = self.keys.with_suffix(".new")
        new.write_text("# one a line\n" + "\n".join(entries) + "\n")
        new.replace(self.keys)

    def log(self) -> str:
        return self.gateway.log.read_text()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("keys")
    keys = folder / "keys"
    keys.write_text(f"acme:{OLD}\nacme:{KEPT}\n")
    with running_gateway(folder, API_KEYS_FILE=str(keys)) as gateway:
        yield Guarded(gateway, keys)


def with_key(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def calling(guarded: Guarded, key: str, path: str = REALTIME) -> connect:
    return connect(guarded.gateway.socket_url + path, compression=None, additional_headers=with_key(key))


async def status(guarded: Guarded, key: str) -> int:
    """Of a handshake with this key."""
    try:
        async with calling(guarded, key):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def post(guarded: Guarded, path: str, key: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(f"{guarded.gateway.url}{path}", json={}, headers=with_key(key))


async def last_of(socket: ClientConnection) -> tuple[str, int | None, str | None]:
    """The last message and the close frame of a call that ends."""
    last = ""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(ENDED_S):
            while True:
                last = str(await socket.recv())
    return last, socket.close_code, socket.close_reason


async def test_a_key_taken_out_of_the_file_is_out_with_all_that_came_in_by_it(
    guarded: Guarded,
) -> None:
    session = (await post(guarded, "/v1/sessions", OLD)).json()
    secret = (await post(guarded, "/v1/realtime/client_secrets", OLD)).json()["value"]
    naming = json.dumps({"meta_info": {"session_id": session["id"]}, "audio": ""})
    async with (
        calling(guarded, OLD) as direct,
        calling(guarded, secret) as by_secret,
        calling(guarded, OLD, "/chat/voice_call") as named,
        calling(guarded, OLD, "/chat/voice_call") as unnamed,
        calling(guarded, KEPT) as other,
    ):
        for socket in (direct, by_secret, other):
            assert json.loads(await socket.recv())["type"] == "session.created"
        await named.send(naming)
        await named.send("what is no frame, its call answers")
        assert json.loads(await named.recv())["code"] == 500

        guarded.write(f"acme:{KEPT}")
        start = time.monotonic()
        for socket in (direct, by_secret):
            last, *close = await last_of(socket)
            assert json.loads(last)["error"]["code"] == "key_withdrawn"
            assert close == [1008, "key withdrawn"]
        last, *close = await last_of(named)
        assert (json.loads(last)["code"], close) == (401, [1008, "key withdrawn"])
        assert time.monotonic() - start < ENDED_S
        again = (await post(guarded, "/v1/sessions", KEPT)).json()["id"]  # nobody has this one
        await unnamed.send(naming.replace(session["id"], again))
        last, *close = await last_of(unnamed)
        assert (json.loads(last)["code"], close) == (401, [1008, "key withdrawn"])

        assert [await status(guarded, key) for key in (OLD, secret, KEPT)] == [401, 401, 101]
        assert (await post(guarded, "/v1/sessions", OLD)).status_code == 401
        await other.send('{"type": "input_audio_buffer.clear"}')
        assert json.loads(await other.recv())["type"] == "input_audio_buffer.cleared"


async def test_a_file_that_is_wrong_changes_nothing_and_is_complained_of_without_its_keys(
    guarded: Guarded,
) -> None:
    guarded.write(f"acme:{KEPT}", "acme:short-0123")

    async def complained() -> bool:
        return "the file of keys is not taken" in guarded.log()

    await eventually(complained)
    assert await status(guarded, KEPT) == 101
    guarded.keys.unlink()

    async def missed() -> bool:
        return guarded.log().count("the file of keys is not taken") == 2

    await eventually(missed)
    assert await status(guarded, KEPT) == 101
    guarded.write(f"acme:{KEPT}", f"acme:{OLD}")

    async def let_in() -> bool:
        return await status(guarded, OLD) == 101

    await eventually(let_in)
    for secret in (KEPT, OLD, "short-0123"):
        assert secret not in guarded.log()


async def test_an_empty_file_lets_nobody_in(guarded: Guarded) -> None:
    guarded.write()

    async def shut() -> bool:
        return await status(guarded, KEPT) == 401

    await eventually(shut)
    async with httpx.AsyncClient() as http:
        assert (await http.post(f"{guarded.gateway.url}/v1/sessions", json={})).status_code == 401
