"""A bound on the bodies of requests, which neither uvicorn nor FastAPI has."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from .errors import ApiError


def bounded_route(max_bytes: int) -> type[APIRoute]:
    """A route class that answers 413 to a body of more than `max_bytes`, without reading all of it."""

    class BoundedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def handle(request: Request) -> Response:
                seen = 0

                async def receive() -> Message:
                    nonlocal seen
                    message = await request.receive()
                    seen += len(message.get("body", b""))
                    if seen > max_bytes:
                        raise ApiError(413, "body_too_large", f"The body is larger than {max_bytes} bytes.")
                    return message

                return await handler(Request(request.scope, receive))

            return handle

    return BoundedRoute
