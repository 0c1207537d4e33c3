"""Handshakes that are refused: an HTTP answer in the shape of the HTTP interface's errors."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from dialtone.gateway.rest.auth import TOO_OFTEN
from dialtone.gateway.runtime import metrics

RETRY_AFTER_S = 5


class Refusal(Exception):
    """The handshake is answered by this instead."""

    def __init__(self, status: int, code: str, message: str, *, param: str | None = None) -> None:
        """A `status` of 429 or 503 invites the client to try again."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param

    @property
    def headers(self) -> dict[str, str] | None:
        """What the answer says beside the error."""
        return {"Retry-After": str(RETRY_AFTER_S)} if self.status in (429, 503) else None


def wrong_key() -> Refusal:
    return Refusal(401, "invalid_api_key", "Incorrect API key provided, or a client secret that has expired.")


def unavailable() -> Refusal:
    return Refusal(503, "service_unavailable", "The service is not available, try again later.")


def full() -> Refusal:
    return Refusal(503, "gateway_full", "The gateway is full, try again later.")


def draining() -> Refusal:
    return Refusal(503, "gateway_draining", "This gateway is about to stop, call again.")


def too_many_calls() -> Refusal:
    return Refusal(429, "too_many_calls", "You have as many calls as you may, end one first.")


def too_often() -> Refusal:
    return Refusal(429, "rate_limit_exceeded", "Too many requests from this address, try again later.")


def tenant_too_often() -> Refusal:
    return Refusal(429, "rate_limit_exceeded", TOO_OFTEN)


def unreadable() -> Refusal:
    return Refusal(400, "invalid_handshake", "This is no WebSocket handshake, or too long for one.")


async def deny(socket: WebSocket, refusal: Refusal) -> None:
    """Answer a handshake that was not accepted yet."""
    await socket.send_denial_response(_answer(refusal))


def written_out(refusal: Refusal) -> bytes:
    """The answer, where there is nothing that would write it."""
    answer = _answer(refusal)
    lines = [f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}".encode()]
    lines += [name + b": " + value for name, value in [*answer.raw_headers, (b"connection", b"close")]]
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(answer.body)


def _answer(refusal: Refusal) -> JSONResponse:
    metrics.refused.labels(refusal.code).inc()
    kind = "invalid_request_error" if refusal.status < 500 else "server_error"
    error = {"message": refusal.message, "type": kind, "param": refusal.param, "code": refusal.code}
    return JSONResponse({"error": error}, refusal.status, refusal.headers)
