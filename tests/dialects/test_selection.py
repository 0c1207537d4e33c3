"""Which dialect a handshake asks for."""

from __future__ import annotations

import pytest

from dialtone.gateway.dialects.selection import dialect_of

KEY = "openai-insecure-api-key.sk-1"

HANDSHAKES: list[tuple[str | None, list[str], str]] = [
    (None, [], "realtime"),
    ("", [], "realtime"),
    ("realtime=v1", [], "realtime_beta"),
    ("assistants=v2", [], "realtime"),
    ("assistants=v2, realtime=v1", [], "realtime_beta"),
    ("assistants=v2,realtime=v1", ["realtime"], "realtime_beta"),
    (None, ["realtime", KEY], "realtime"),
    (None, ["realtime", KEY, "openai-beta.realtime-v1"], "realtime_beta"),
    (None, ["realtime", "openai-agents-sdk.0.20.0"], "realtime"),
]


@pytest.mark.parametrize(("header", "offered", "dialect"), HANDSHAKES)
def test_the_dialect_of_a_handshake(header: str | None, offered: list[str], dialect: str) -> None:
    assert dialect_of(header, offered) == dialect
