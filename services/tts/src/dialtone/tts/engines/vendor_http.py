"""One sentence sent to a vendor over HTTP, and the bytes of its answer as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from typing import Any

import httpx2

from dialtone.tts.engines.entry import VendorVoice
from dialtone.vendors.failures import UpstreamFailure, failure_of_status
from dialtone.vendors.http import new_client, too_slow, transport_failure, whole_body, without_secret

Refusal = Callable[[int, dict[str, Any]], UpstreamFailure | None]
"""Finds what a vendor says in its own way, from the status and the error of a body."""


class VendorHttp:
    """Requests to one vendor's server. `close` it in the end."""

    def __init__(self, entry: VendorVoice, base_url: str, *, refusal: Refusal) -> None:
        self._limits = entry.limits
        self._secret = entry.key()
        self._refusal = refusal
        headers = {"Authorization": f"Bearer {self._secret}"} if self._secret else {}
        self._client = new_client(
            base_url, headers, connect_s=entry.limits.connect_s, connections=entry.connections
        )

    async def parts(
        self, path: str, body: Mapping[str, Any], kinds: Collection[str]
    ) -> AsyncGenerator[tuple[str, bytes], None]:
        """Yield (content type with its parameters, part of the body) as parts come, none of them empty.

        The content type is one of `kinds`. Leaving the generator closes the connection unless the answer was
        read to its end. Raises UpstreamFailure.
        """
        now = asyncio.get_running_loop().time
        ends = now() + self._limits.whole_s
        due = min(now() + self._limits.first_s, ends)
        request = self._client.build_request("POST", path, json=body)
        try:
            async with asyncio.timeout_at(due):
                response = await self._client.send(request, stream=True)
        except TimeoutError:
            raise too_slow("no audio") from None
        except httpx2.HTTPError as error:
            raise transport_failure(error) from error
        try:
            if response.status_code != 200:
                raise self._refused(response, await whole_body(response, due))
            kind = response.headers.get("content-type", "").strip().lower()
            if kind.partition(";")[0].strip() not in kinds:
                what = kind[:64] or "what it does not name"
                raise UpstreamFailure("bad_upstream", f"answered {what} instead of {' or '.join(kinds)}")
            reading = aiter(response.aiter_bytes())
            waits_for = "no audio"
            while True:
                try:
                    async with asyncio.timeout_at(due):
                        part = await anext(reading)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise too_slow(waits_for) from None
                except httpx2.HTTPError as error:
                    raise transport_failure(error) from error
                if part:
                    yield kind, part
                    waits_for = "stopped in mid-sentence"
                    due = min(now() + self._limits.pause_s, ends)
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    def _refused(self, response: httpx2.Response, body: bytes) -> UpstreamFailure:
        try:
            said = json.loads(body)
        except ValueError:  # a gateway's page, say: its status tells
            said = None
        error = said.get("error") if isinstance(said, dict) else None
        error = error if isinstance(error, dict) else {"message": error}
        detail = without_secret(str(error.get("message") or ""), self._secret)
        if (found := self._refusal(response.status_code, error)) is not None:
            found.detail = detail
            return found
        return failure_of_status(response.status_code, response.headers, detail, str(error.get("code") or ""))
