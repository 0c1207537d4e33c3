"""One request about a passage over HTTP, and the JSON objects of its answer as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.asr.recognition import Passage
from dialtone.vendors.failures import UpstreamFailure, failure_of_status
from dialtone.vendors.http import new_client, too_slow, transport_failure, whole_body, without_secret
from dialtone.vendors.sse import SseDecoder

_EVENT_STREAM = "text/event-stream"
_EOF_S = 0.1  # wait for the end of the body, without which the connection cannot be used again

Said = TypeVar("Said", bound=BaseModel)
Refusal = Callable[[int, dict[str, Any]], UpstreamFailure | None]
"""Finds what a vendor says in its own way, from the status and the JSON of a body."""


class VendorHttp:
    """Requests to one vendor's server. `close` it in the end."""

    def __init__(
        self, entry: AsrEntry, base_url: str, headers: Mapping[str, str], *, secret: str, refusal: Refusal
    ) -> None:
        self._limits = entry.limits
        self._secret = secret
        self._refusal = refusal
        self._client = new_client(
            base_url, headers, connect_s=entry.limits.connect_s, connections=entry.connections
        )

    async def objects(
        self, path: str, passage: Passage, **content: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the object of each event, or the one of a body that is no stream.

        `content` is what httpx takes as a request's body. Leaving the generator closes the connection unless
        the answer was read to its end. Raises UpstreamFailure.
        """
        deadline = asyncio.get_running_loop().time() + self._limits.answer_within_s(passage)
        request = self._client.build_request("POST", path, **content)
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._client.send(request, stream=True)
        except TimeoutError:
            raise too_slow("no answer") from None
        except httpx2.HTTPError as error:
            raise transport_failure(error) from error
        try:
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if response.status_code != 200:
                raise self._refused(response, await whole_body(response, deadline))
            if kind == "application/json":
                yield self._checked(_object(await whole_body(response, deadline)))
                return
            if kind != _EVENT_STREAM:
                what = kind[:64] or "what it does not name"
                raise UpstreamFailure("bad_upstream", f"answered {what} instead of JSON")
            async with aclosing(_events(response, deadline)) as events:
                async for event in events:
                    yield self._checked(_object(event))
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._client.aclose()

    def _checked(self, said: dict[str, Any]) -> dict[str, Any]:
        """An error may come inside a 200."""
        if "error" in said:
            raise self._failure(200, {}, said)
        return said

    def _refused(self, response: httpx2.Response, body: bytes) -> UpstreamFailure:
        try:
            said = _object(body)
        except UpstreamFailure:
            said = {}
        return self._failure(response.status_code, response.headers, said)

    def _failure(self, status: int, headers: Mapping[str, str], said: dict[str, Any]) -> UpstreamFailure:
        error = said.get("error")
        error = error if isinstance(error, dict) else {"message": error}
        detail = without_secret(str(error.get("message") or ""), self._secret)
        found = self._refusal(status, error)
        if found is not None:
            found.detail = detail
            return found
        status = status if status != 200 else 500
        return failure_of_status(status, headers, detail, str(error.get("code") or ""))


async def to_the_end(objects: AsyncGenerator[dict[str, Any], None]) -> None:
    """Let a complete answer end, so that its connection can be used again."""
    try:
        async with asyncio.timeout(_EOF_S):
            async for _ in objects:
                pass
    except (TimeoutError, UpstreamFailure):
        return  # the words are there; only the connection is not used again


async def _events(response: httpx2.Response, deadline: float) -> AsyncGenerator[bytes, None]:
    reading = aiter(response.aiter_bytes())
    sse = SseDecoder()
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                events = sse.feed(await anext(reading))
        except StopAsyncIteration:
            break
        except TimeoutError:
            raise too_slow("stopped in mid-answer") from None
        except httpx2.HTTPError as error:
            raise transport_failure(error) from error
        for event in events:
            if event.strip() != b"[DONE]":
                yield event
    for event in sse.flush():
        if event.strip() != b"[DONE]":
            yield event


def read_as(kind: type[Said], said: dict[str, Any]) -> Said:
    """The object as what it is to be. Raises UpstreamFailure, which says what of it is not."""
    try:
        return kind.model_validate(said)
    except ValidationError as wrong:
        where = ".".join(map(str, wrong.errors(include_input=False, include_url=False)[0]["loc"]))
        raise UpstreamFailure("bad_upstream", f"answered in another format: {where[:64]}") from None


def _object(data: bytes) -> dict[str, Any]:
    try:
        said = json.loads(data)
    except ValueError:
        raise UpstreamFailure("bad_upstream", "answered what is no JSON") from None
    if not isinstance(said, dict):
        raise UpstreamFailure("bad_upstream", "answered JSON that is no object")
    return said
