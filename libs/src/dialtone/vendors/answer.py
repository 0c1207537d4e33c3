"""The answer to one request over HTTP, as it comes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.http import too_slow, transport_failure

_BODY_LIMIT = 1 << 20
_EOF_S = 0.1  # wait for the end of the body, without which the connection cannot be used again

Refused = Callable[[httpx2.Response, bytes], UpstreamFailure]
"""Translates a status other than 200, from the response and its body."""


class Patience:
    """How long an answer is waited for from now on, in seconds: for its beginning, from one part to the next,
    and for all of it."""

    def __init__(self, first_s: float, *, pause_s: float = math.inf, whole_s: float = math.inf) -> None:
        self._now = asyncio.get_running_loop().time
        self._pause_s = pause_s
        self._ends = self._now() + whole_s
        self.due = min(self._now() + first_s, self._ends)
        """On the loop's clock."""
        self.late = "no answer"
        """What is to be said of a server that is not in time."""

    def heard(self) -> None:
        """Note that more of the answer is there."""
        self.due = min(self._now() + self._pause_s, self._ends)
        self.late = "stopped in mid-answer"


class Answer:
    """An answer with the status 200, whose body is still to come."""

    def __init__(self, response: httpx2.Response) -> None:
        self.reading = response.aiter_bytes()
        self.content_type: str = response.headers.get("content-type", "").strip().lower()
        self.kind = self.content_type.partition(";")[0].strip()
        """The content type without its parameters."""

    async def part(self, due: float, late: str) -> bytes | None:
        """Return the next part of the body, None after the last.

        Raises UpstreamFailure: where it is not there at `due` on the loop's clock, one that says `late`.
        """
        try:
            async with asyncio.timeout_at(due):
                return await anext(self.reading, None)
        except TimeoutError:
            raise too_slow(late) from None
        except httpx2.HTTPError as error:
            raise transport_failure(error) from error

    async def whole(self, due: float) -> bytes:
        """Return the body, or the first MiB of it. Raises UpstreamFailure."""
        body = bytearray()
        while len(body) <= _BODY_LIMIT and (part := await self.part(due, "no answer")) is not None:
            body += part
        return bytes(body)


@asynccontextmanager
async def asked(
    client: httpx2.AsyncClient, path: str, due: float, refused: Refused, **content: Any
) -> AsyncIterator[Answer]:
    """Post what httpx takes as a request's content, and use the answer inside the block.

    Leaving it closes the connection unless the answer was read to its end. Raises UpstreamFailure, also where
    no answer has begun at `due` on the loop's clock.
    """
    request = client.build_request("POST", path, **content)
    try:
        async with asyncio.timeout_at(due):
            response = await client.send(request, stream=True)
    except TimeoutError:
        raise too_slow("no answer") from None
    except httpx2.HTTPError as error:
        raise transport_failure(error) from error
    answer = Answer(response)
    try:
        if response.status_code != 200:
            raise refused(response, await answer.whole(due))
        yield answer
    finally:
        await answer.reading.aclose()  # not by the collector, which may come when the loop is gone
        await response.aclose()


async def to_the_end(rest: AsyncIterator[object]) -> None:
    """Let a body end of which all is known, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_EOF_S):
            async for _ in rest:
                pass
    except (TimeoutError, UpstreamFailure, httpx2.HTTPError):
        return  # what was to be said was said; only the connection is not used again
