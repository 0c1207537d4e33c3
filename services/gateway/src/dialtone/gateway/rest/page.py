"""The page to talk to Dialtone in a browser: files that are built from `services/gateway/page`.

Its policy lets in what the gateway serves, and nothing else: no script inside the markup, no markup made of
text. What a model says can therefore be shown, but never run.
"""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, PlainTextResponse, Response

from .errors import ApiError

FOLDER = Path(__file__).parents[1] / "web"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_PAGE_HEADERS = {
    **_ALWAYS,
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # its name stays while what it names changes
}
_ASSET_HEADERS = {**_ALWAYS, "Cache-Control": "public, max-age=31536000, immutable"}
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FILE_NAME = re.compile(r"[\w-]+(\.[\w-]+)+")  # no way up or down
_NOT_BUILT = (
    "The page to talk to Dialtone is not built here: `make page` in a checkout does that.\n"
    "Programs call at /v1/realtime and /chat/voice_call; /openapi.json describes the rest.\n"
)


def create_page_router(folder: Path = FOLDER) -> APIRouter:
    """`/` and its files, as they are when they are asked for."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page() -> Response:
        if not (folder / "index.html").is_file():
            return PlainTextResponse(_NOT_BUILT, 404, _ALWAYS)
        return FileResponse(folder / "index.html", headers=_PAGE_HEADERS, media_type="text/html")

    @router.api_route("/assets/{name}", methods=["GET", "HEAD"])
    async def asset(name: str) -> FileResponse:
        path = folder / "assets" / name
        if not (_FILE_NAME.fullmatch(name) and path.suffix in _TYPES and path.is_file()):
            raise ApiError(404, "not_found", "The page has no such file.")
        return FileResponse(path, headers=_ASSET_HEADERS, media_type=_TYPES[path.suffix])

    return router
