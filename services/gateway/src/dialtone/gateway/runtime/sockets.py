"""The WebSocket routes."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from dialtone.gateway.runtime.realtime_sockets import RealtimeSockets
from dialtone.gateway.runtime.refusals import Refusal, deny
from dialtone.gateway.runtime.voice_sockets import VoiceSockets


def create_sockets_router(realtime: RealtimeSockets, voice: VoiceSockets) -> APIRouter:
    """The endpoints. To be included after all others: it answers on every other path too."""
    router = APIRouter()
    router.add_api_websocket_route("/v1/realtime", realtime.serve)
    router.add_api_websocket_route("/chat/voice_call", voice.serve)
    router.add_api_websocket_route("/v1/realtime/translations", _no_translations)
    router.add_api_websocket_route("/{path:path}", _unknown)
    return router


async def _no_translations(socket: WebSocket) -> None:
    await deny(socket, Refusal(404, "not_found", "The translation API is not served here."))


async def _unknown(socket: WebSocket) -> None:
    message = "There is no WebSocket here; calls are made at /v1/realtime."
    await deny(socket, Refusal(404, "not_found", message))
