"""Errors of the HTTP interface, all in one shape: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from dialtone.gateway.stores import StoreUnavailable
from dialtone.telemetry import get_logger

_RETRY_AFTER_S = 2
log = get_logger(__name__)


class ErrorDetail(BaseModel):
    message: str = Field(description="What was wrong, for a person")
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(description="The field it is about, as a dotted path")
    code: str | None = Field(examples=["session_not_found"])


class ErrorBody(BaseModel):
    error: ErrorDetail


class ApiError(HTTPException):
    """An answer that says what was wrong."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.body = ErrorBody(error=ErrorDetail(message=message, type=kind, param=param, code=code))


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(StoreUnavailable, _store_unavailable)
    app.add_exception_handler(Exception, _unexpected)


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route's errors."""
    return {status: {"model": ErrorBody} for status in statuses}


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if not isinstance(error, ApiError):  # the framework's own: no such route, method not allowed, not JSON
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        error = ApiError(error.status_code, code, str(error.detail), headers=error.headers)
    return JSONResponse(error.body.model_dump(), error.status_code, error.headers)


async def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [(_field(problem), _message(problem)) for problem in error.errors()]
    message = "; ".join(f"{field}: {text}" if field else text for field, text in found)
    return await _http_error(_request, ApiError(422, "invalid_value", message, param=found[0][0] or None))


async def _store_unavailable(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StoreUnavailable)
    message = "The session store does not answer. Try again in a moment."
    retry = {"Retry-After": str(_RETRY_AFTER_S)}
    return await _http_error(
        _request, ApiError(503, "store_unavailable", message, kind="server_error", headers=retry)
    )


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", path=request.url.path, error=type(error).__name__, exc_info=error)
    return await _http_error(
        request, ApiError(500, "internal_error", "Something went wrong here.", kind="server_error")
    )


def _field(problem: Mapping[str, Any]) -> str:
    """The dotted path of the wrong field, without the part that says where in the request it stands."""
    if problem["type"] == "json_invalid":
        return ""  # its place is that of a character
    location: Sequence[int | str] = problem["loc"]
    path = location[1:] if location and location[0] in ("body", "query", "path", "header") else location
    return ".".join(str(step) for step in path)


def _message(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "json_invalid":
        return "The body is not JSON."
    if problem["type"] == "extra_forbidden":
        return "Unknown field"
    return str(problem["msg"])
