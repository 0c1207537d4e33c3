"""`/`: the page's files, and what keeps them from doing more than they should."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from dialtone.gateway.rest.errors import install_error_handlers
from dialtone.gateway.rest.page import create_page_router


def client_of(folder: Path) -> httpx.AsyncClient:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(create_page_router(folder))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


@pytest.fixture
async def built(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "web" / "assets").mkdir(parents=True)
    (tmp_path / "web" / "index.html").write_text("<!doctype html>")
    (tmp_path / "web" / "assets" / "main-1.js").write_text("export {};")
    (tmp_path / "web" / "assets" / "notes.txt").write_text("not of the page")
    (tmp_path / "secret.js").write_text("no")
    async with client_of(tmp_path / "web") as client:
        yield client


async def test_the_page_may_run_nothing_but_its_own_files(built: httpx.AsyncClient) -> None:
    for answer in (await built.get("/"), await built.head("/")):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        policy = dict(
            part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["require-trusted-types-for"] == "'script'"
        assert "unsafe" not in answer.headers["content-security-policy"]


async def test_its_files_are_kept_by_browsers_and_no_others_are_served(built: httpx.AsyncClient) -> None:
    script = await built.get("/assets/main-1.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["x-content-type-options"] == "nosniff"
    for path in ("notes.txt", "..%2f..%2fsecret.js", "../../secret.js", "main-2.js"):
        assert (await built.get(f"/assets/{path}")).status_code == 404


async def test_a_page_that_is_not_built_says_how_it_would_be(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        answer = await client.get("/")
    assert answer.status_code == 404
    assert "make page" in answer.text
