"""Engines to hold to the contract: those of vendors with servers that behave as theirs, those of this
machine, and in the lane `live` the vendors themselves. Which: subjects.py."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.tts.backends.rig import Rig, VendorServer
from tests.tts.backends.speech_server import API_KEY
from tests.tts.backends.subjects import KEY_ENV, LOCAL, VENDORS, live_rig, vendor_rig

MakeRig = Callable[..., Awaitable[Rig]]
_LIVE = [name for name, vendor in VENDORS.items() if vendor.live_key]


@pytest.fixture(scope="session")
def speech_servers() -> Iterator[dict[str, VendorServer]]:
    """The server of each vendor."""
    servers = {name: vendor.server() for name, vendor in VENDORS.items()}
    for server in servers.values():
        server.start()
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
async def make_rig(
    speech_servers: dict[str, VendorServer], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MakeRig]:
    """What makes an engine that asks a server of the tests, with fields of its entry."""
    monkeypatch.setenv(KEY_ENV, API_KEY)
    made: list[Rig] = []

    async def make(name: str, **fields: Any) -> Rig:
        if made:
            await made[-1].until_idle()
        speech_servers[name].reset()
        made.append(vendor_rig(name, speech_servers[name], **fields))
        return made[-1]

    yield make
    for rig in made:
        await rig.close()


@pytest.fixture(
    params=[
        *VENDORS,
        *(pytest.param(name, marks=list(local.marks)) for name, local in LOCAL.items()),
        *(pytest.param(f"live {name}", marks=pytest.mark.live) for name in _LIVE),
    ]
)
def subject(request: pytest.FixtureRequest) -> tuple[str, Rig | None]:
    """Every engine by name; one of this machine is made here, outside the event loop, as loading needs."""
    name: str = request.param
    return name, LOCAL[name].make(request) if name in LOCAL else None


@pytest.fixture
async def rig(subject: tuple[str, Rig | None], make_rig: MakeRig) -> AsyncIterator[Rig]:
    """Every engine."""
    name, local = subject
    kind, _, vendor = name.rpartition(" ")
    if local is not None:
        yield local
    elif kind == "live":
        key = VENDORS[vendor].live_key
        if not os.environ.get(key):
            pytest.skip(f"no {key}")
        live = live_rig(vendor)
        yield live
        await live.close()
    else:
        yield await make_rig(vendor)


@pytest.fixture(params=list(VENDORS))
def vendor(request: pytest.FixtureRequest) -> str:
    """Each vendor whose server the tests have."""
    name: str = request.param
    return name
