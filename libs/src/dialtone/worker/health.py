"""The small HTTP server beside a process's work: metrics, and of a worker liveness and readiness."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """Leaves the signals to the process that it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def health_app(not_ready: Callable[[], str]) -> Starlette:
    """`/metrics`, `/livez`, and `/readyz`, which answers 503 with the reason that `not_ready` gives."""

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def livez(_request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(_request: Request) -> Response:
        reason = not_ready()
        return JSONResponse({"ready": not reason, "reason": reason}, 503 if reason else 200)

    return Starlette(routes=[Route("/metrics", metrics), Route("/livez", livez), Route("/readyz", readyz)])


@contextlib.asynccontextmanager
async def serve_health(host: str, port: int, not_ready: Callable[[], str]) -> AsyncIterator[int]:
    """Serve a worker's health inside the block; gives the port, as `serve_beside` does."""
    async with serve_beside(health_app(not_ready), host, port) as chosen:
        yield chosen


@contextlib.asynccontextmanager
async def serve_beside(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """Serve a small app beside the process's work inside the block.

    Gives the port, which was chosen by the system if `port` is 0. Raises OSError when it is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen()  # from here on a probe waits rather than being refused
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        limit_concurrency=64,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        await serving
        listening.close()
