"""The calls of one tenant use up the tenant's share together, and not another's (S19)."""

from __future__ import annotations

import json
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from dialtone.local.state import StackState
from tests.fixtures.gateway import KEY, OTHER_KEY
from tests.fixtures.gateway_processes import joining

from .test_links import until

LEAST = 5  # tokens: less than any answer uses


def calling(url: str, key: str) -> connect:
    headers = {"Authorization": f"Bearer {key}"}
    return connect(f"{url}/v1/realtime?model=default", additional_headers=headers, compression=None)


async def answered(socket: ClientConnection) -> tuple[str, str | None]:
    """The status of a response that is asked for, and the code of its error."""
    await socket.send(json.dumps({"type": "response.create", "response": {"output_modalities": ["text"]}}))
    response = (await until(socket, "response.done"))["response"]
    error = (response["status_details"] or {}).get("error") or {}
    return response["status"], error.get("code")


async def test_what_one_call_used_is_missing_to_the_others_of_its_tenant_alone(
    stack: StackState, tmp_path: Path
) -> None:
    limits = {"API_KEYS": f"acme:{KEY},{OTHER_KEY}", "TENANT_TOKENS_PER_MINUTE": str(LEAST)}
    async with (
        joining(stack, tmp_path, **limits) as gateway,
        calling(gateway.socket_url, KEY) as first,
        calling(gateway.socket_url, KEY) as beside,
        calling(gateway.socket_url, OTHER_KEY) as strangers,
    ):
        assert await answered(first) == ("completed", None)
        async with calling(gateway.socket_url, KEY) as later:
            for socket in (first, beside, later):
                assert await answered(socket) == ("failed", "rate_limit_exceeded")
        assert await answered(strangers) == ("completed", None)
