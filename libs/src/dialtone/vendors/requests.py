"""Requests to a vendor's server whose errors are JSON, and answers of it in bytes or in JSON objects."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from typing import Any

import httpx2

from dialtone.vendors.answer import Answer, Patience, asked
from dialtone.vendors.entry import VendorEntry
from dialtone.vendors.failures import UpstreamFailure, failure_of_status
from dialtone.vendors.http import bearer, new_client, without_secret
from dialtone.vendors.objects import object_of
from dialtone.vendors.sse import SseDecoder

_EVENT_STREAM = "text/event-stream"
_LONGEST_EVENT = 1 << 20  # bytes

Refusal = Callable[[int, dict[str, Any]], UpstreamFailure | None]
"""Finds what a vendor says in its own way, from the status and the `error` of a body."""


class VendorHttp:
    """Requests to one vendor's server. `close` it in the end."""

    def __init__(
        self,
        entry: VendorEntry,
        base_url: str,
        *,
        refusal: Refusal,
        headers: Callable[[str], Mapping[str, str]] = bearer,
    ) -> None:
        """`headers` are those that take the key, where there is one."""
        self._secret = entry.key()
        self._refusal = refusal
        self._client = new_client(
            base_url,
            headers(self._secret) if self._secret else {},
            connect_s=entry.limits.connect_s,
            connections=entry.connections,
        )

    async def parts(
        self, path: str, patience: Patience, kinds: Collection[str], **content: Any
    ) -> AsyncGenerator[tuple[str, bytes], None]:
        """Yield (content type with its parameters, part of the body) as parts come, none of them empty.

        The content type is one of `kinds`; `content` is what httpx takes as a request's body. Leaving the
        generator closes the connection unless the answer was read to its end. Raises UpstreamFailure.
        """
        async with asked(self._client, path, patience.due, self._refused, **content) as answer:
            if answer.kind not in kinds:
                raise _another_kind(answer, " or ".join(kinds))
            while (part := await answer.part(patience.due, patience.late)) is not None:
                if part:
                    yield answer.content_type, part
                    patience.heard()

    async def objects(
        self, path: str, patience: Patience, *, longest_event: int = _LONGEST_EVENT, **content: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the object of each event, of `longest_event` bytes at most, or the one of a body that is no
        stream. See `parts`."""
        async with asked(self._client, path, patience.due, self._refused, **content) as answer:
            if answer.kind == "application/json":
                yield self._checked(object_of(await answer.whole(patience.due)))
                return
            if answer.kind != _EVENT_STREAM:
                raise _another_kind(answer, "JSON")
            sse = SseDecoder(longest_event)
            ended = False
            while not ended:
                part = await answer.part(patience.due, patience.late)
                ended = part is None
                for event in sse.flush() if part is None else sse.feed(part):
                    if event.strip() != b"[DONE]":
                        yield self._checked(object_of(event))
                if sse.overlong:
                    raise UpstreamFailure("bad_upstream", f"answered an event of over {longest_event} bytes")
                patience.heard()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    def _checked(self, said: dict[str, Any]) -> dict[str, Any]:
        """An error may come inside a 200."""
        if said.get("error") is not None:
            raise self._failure(500, {}, said)
        return said

    def _refused(self, response: httpx2.Response, body: bytes) -> UpstreamFailure:
        try:
            said = object_of(body)
        except UpstreamFailure:  # a gateway's page, say: its status tells
            said = {}
        return self._failure(response.status_code, response.headers, said)

    def _failure(self, status: int, headers: Mapping[str, str], said: dict[str, Any]) -> UpstreamFailure:
        error = said.get("error")
        error = error if isinstance(error, dict) else {"message": error}
        detail = without_secret(str(error.get("message") or ""), self._secret)
        if (found := self._refusal(status, error)) is not None:
            found.detail = detail
            return found
        return failure_of_status(status, headers, detail, str(error.get("code") or ""))


def _another_kind(answer: Answer, wanted: str) -> UpstreamFailure:
    what = answer.kind[:64] or "what it does not name"
    return UpstreamFailure("bad_upstream", f"answered {what} instead of {wanted}")
