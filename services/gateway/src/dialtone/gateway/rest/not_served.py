"""Parts of the Realtime API that are not served: they say so, in the shape of the other errors."""

from __future__ import annotations

from fastapi import APIRouter

from .errors import ApiError, error_responses

_WEBRTC = "Calls over WebRTC and SIP are not served here: open a WebSocket at /v1/realtime."
_TRANSLATIONS = "The translation API is not served here."


def create_not_served_router() -> APIRouter:
    router = APIRouter(prefix="/v1/realtime", tags=["not served"])

    @router.post("", status_code=501, responses=error_responses(501))
    @router.post("/calls", status_code=501, responses=error_responses(501))
    @router.post("/calls/{path:path}", status_code=501, responses=error_responses(501))
    async def webrtc(path: str = "") -> None:  # noqa: ARG001 - any path below is the same
        """Calls over WebRTC and SIP."""
        raise ApiError(501, "not_implemented", _WEBRTC)

    @router.post("/translations/{path:path}", status_code=404, responses=error_responses(404))
    async def translations(path: str) -> None:  # noqa: ARG001
        """The translation API."""
        raise ApiError(404, "not_found", _TRANSLATIONS)

    return router
