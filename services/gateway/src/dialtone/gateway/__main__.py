"""`python -m dialtone.gateway`: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import uvicorn
import uvloop

from dialtone.gateway.app import create_metrics_app, open_app
from dialtone.gateway.runtime.drain import DrainingServer
from dialtone.gateway.runtime.large_messages import LargeMessages
from dialtone.gateway.runtime.paced_sockets import PacedSocket
from dialtone.gateway.runtime.pinged_sockets import Pings
from dialtone.gateway.runtime.prompt_requests import PromptRequests
from dialtone.gateway.settings import GatewaySettings
from dialtone.settings import read_settings
from dialtone.telemetry import configure_logging, get_logger, watch_loop_lag
from dialtone.telemetry.tracing import configure_tracing, flush_traces
from dialtone.worker.health import serve_beside

LAST_REQUESTS_S = 2  # for requests that are being answered when the calls are over
log = get_logger(__name__)


def listen(settings: GatewaySettings) -> socket.socket:
    """The socket that clients connect to. Raises OSError when the port is taken.

    Pings do not end the connection of a client that has stopped reading while it is sent to: the
    frames before the ping are never read. The kernel's bound on unacknowledged data does.
    """
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(settings.tcp_user_timeout_s * 1000)
    )
    listening.bind((settings.http_host, settings.http_port))
    return listening


@asynccontextmanager
async def _metrics(settings: GatewaySettings) -> AsyncIterator[None]:
    """Serve the metrics at their own port inside the block, where they have one."""
    if settings.metrics_port == 0:
        yield
        return
    async with serve_beside(create_metrics_app(), settings.http_host, settings.metrics_port):
        yield


def _not_a_refusal(record: logging.LogRecord) -> bool:
    """Leaves out what uvicorn says, as an error, of every WebSocket handshake that is refused."""
    return record.getMessage() != "ASGI callable returned without completing handshake."


async def serve(settings: GatewaySettings) -> None:
    listening = listen(settings)
    places = LargeMessages(settings.large_messages, within_s=settings.large_message_s)
    pings = Pings(settings.ping_s)
    lag = asyncio.create_task(watch_loop_lag())
    async with open_app(settings) as (app, switchboard), _metrics(settings):
        config = uvicorn.Config(
            app,
            ws=cast(
                type[asyncio.Protocol],
                partial(
                    PacedSocket,
                    places=places,
                    pings=pings,
                    frames_per_s=settings.messages_per_second,
                    message_s=settings.message_timeout_s,
                ),
            ),
            ws_max_size=settings.max_message_bytes,
            ws_per_message_deflate=False,
            ws_ping_interval=None,  # `pings` has them
            http=cast(type[asyncio.Protocol], partial(PromptRequests, within_s=settings.request_timeout_s)),
            lifespan="off",
            log_config=None,
            access_log=False,  # it would print keys given in a query
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=LAST_REQUESTS_S,
        )
        gc.collect()
        gc.freeze()  # what stays for good: looking through all of it stops every call for some 30 ms
        host, port = listening.getsockname()[:2]
        log.info("ready", url=f"http://{host}:{port}")
        if not settings.needs_keys:
            log.warning("open: no API_KEYS are set, so every program of this machine may call")
        server = DrainingServer(config, drain=lambda: switchboard.drain(settings.drain_grace_s))
        await server.serve(sockets=[listening])
    lag.cancel()
    log.info("stopped")


def main() -> None:
    settings = read_settings(GatewaySettings)
    configure_logging("gateway", level=settings.log_level, form=settings.log_format)
    configure_tracing("gateway")
    logging.getLogger("uvicorn.error").addFilter(_not_a_refusal)
    try:
        uvloop.run(serve(settings))
    except OSError as error:
        log.error("cannot serve", port=settings.http_port, error=str(error))
        sys.exit(1)
    finally:
        flush_traces()


if __name__ == "__main__":
    main()
