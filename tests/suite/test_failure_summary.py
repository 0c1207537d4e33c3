"""A run that failed says why in its last lines, and says it shortly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.failure_summary import LIMIT

ROOT = Path(__file__).parents[2]

FAILING = """
import asyncio
import contextlib

import pytest

async def never():
    await asyncio.Event().wait()

@contextlib.asynccontextmanager
async def server():
    await never()
    yield

@pytest.fixture
async def slow():
    async with server():
        yield

@pytest.fixture
def broken():
    raise RuntimeError("no server: " + "a line of its log\\n" * 100 + "port in use")

async def test_waits():
    beside = asyncio.create_task(never())
    await asyncio.wait_for(asyncio.shield(beside), 60)

async def test_waits_in_a_fixture(slow):
    pass

def test_compares():
    assert [1, 2] == [1, 3]

def test_needs_a_server(broken):
    pass

def test_needs_it_too(broken):
    pass
"""


def run(folder: Path, tests: str, *options: str) -> str:
    """What comes after the last line of pytest's own."""
    (folder / "test_failing.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.fixtures.failure_summary",
        "--timeout",
        "0.3",
        *options,
    ]
    done = subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60)
    return done.stdout.decode().rpartition("=====\n")[2]


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run(tmp_path_factory.mktemp("failing"), FAILING)


def test_each_failure_is_told_by_its_message_and_place(summary: str) -> None:
    assert summary.startswith("5 failed, by 4 causes:\n")
    assert "test_failing.py::test_compares [call]\n  assert [1, 2] == [1, 3]" in summary
    assert "at test_failing.py:32 test_compares" in summary
    assert len(summary) <= LIMIT


def test_a_timeout_says_what_was_awaited(summary: str) -> None:
    assert "  awaits test_failing.py:26 test_waits\n  awaits test_failing.py:8 never\n" in summary
    assert "test_waits_in_a_fixture [setup]\n" in summary
    assert (
        "  awaits test_failing.py:17 slow > test_failing.py:12 server > test_failing.py:8 never\n" in summary
    )


def test_what_fails_many_tests_is_told_once_with_the_end_of_its_message(summary: str) -> None:
    assert "test_failing.py::test_needs_a_server [setup] and 1 more\n  RuntimeError: no server: " in summary
    assert "log port in use\n  at test_failing.py:22 broken" in summary


def test_many_causes_stay_within_the_limit(tmp_path: Path) -> None:
    summary = run(
        tmp_path, "".join(f"def test_{n}():\n    assert {n} < 0, 'much ' * 100\n" for n in range(50))
    )
    assert len(summary) <= LIMIT
    assert summary.startswith("50 failed, by 50 causes:\ntest_failing.py::test_0 [call]\n")
    assert summary.rstrip().endswith("more causes")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "test_failing.py [collect]\n" in run(tmp_path, "import nothing_of_that_name\n")


def test_what_failed_in_another_process_is_told_as_well(tmp_path: Path) -> None:
    summary = run(tmp_path, "def test_this():\n    assert 1 == 2\n", "-n", "1")
    assert summary.startswith("1 failed, by 1 causes:\ntest_failing.py::test_this [call]\n  assert 1 == 2\n")


def test_a_run_without_failures_says_nothing_more(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_fine():\n    pass\n").strip() == ""
