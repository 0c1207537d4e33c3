"""Durations never come from the wall clock, which somebody may set: only what is dated may ask for it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WALL_CLOCK = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
# File and function: why it is to know the date.
DATED = {
    ("gateway/stores/client_secrets.py", "mint"): "when a secret expires is told as a date; Redis ends it",
    ("gateway/stores/archive.py", "apply"): "when a session was changed",
    ("gateway/stores/archive.py", "delete_unused"): "how many days ago that was",
    ("gateway/rest/sessions.py", "create_session"): "when a session was made",
    ("gateway/runtime/switchboard.py", "_make_call"): "when a call will expire is told as a date",
    ("gateway/runtime/realtime_sockets.py", "find"): "when a session was made",
    ("telemetry/tracing.py", "_ns"): "spans are dated; how long they took is measured before",
    ("vendors/failures.py", "retry_after"): "HTTP says by a date when to come again",
}


def asks_for_wall_clock(tree: ast.AST, function: str = "") -> Iterator[str]:
    """The functions in which it is asked for, by name or by reference."""
    for node in ast.iter_child_nodes(tree):
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and named else function
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in WALL_CLOCK:
            yield inner
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (inner for name in node.names if name.name in ("time", "time_ns"))
        yield from asks_for_wall_clock(node, inner)


def found() -> set[tuple[str, str]]:
    return {
        (str(path).partition("/src/dialtone/")[2], function)
        for folder in ("libs", "services")
        for path in (ROOT / folder).rglob("*.py")
        if "/src/dialtone/" in str(path)
        for function in asks_for_wall_clock(ast.parse(path.read_text()))
    }


def test_the_wall_clock_is_asked_for_dates_alone() -> None:
    assert found() == set(DATED)


@pytest.mark.parametrize(
    "code",
    [
        "import time\ndef f(): return time.time()",
        "import time\nclass C:\n  clock = time.time",
        "from time import time",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\nasync def f(): datetime.now(UTC)",
    ],
)
def test_it_would_be_found(code: str) -> None:
    assert list(asks_for_wall_clock(ast.parse(code)))


def test_other_clocks_are_not_taken_for_it() -> None:
    assert not list(asks_for_wall_clock(ast.parse("import time\ntime.monotonic() + self.time()")))
