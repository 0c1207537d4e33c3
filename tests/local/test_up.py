"""What `up` and `down` promise at the terminal, with whole stacks of simulated stages."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dialtone.local.__main__ import main
from dialtone.local.state import is_alive, read_state

LOCAL = [sys.executable, "-m", "dialtone.local"]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    outer = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    given = {**outer, "PORT": "0", "STAGES": "simulated", "RUN_DIR": str(tmp_path)}
    yield given
    subprocess.run([*LOCAL, "down"], env=given, check=True, timeout=90)


def status_of(command: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    """What the command ends with, run in this process: for those that start nothing."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["dialtone.local", command])
        for name, value in environment.items():
            patch.setenv(name, value)
        return main()


def test_up_stays_until_interrupted_and_then_ends_everything(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with subprocess.Popen([*LOCAL, "up"], env=environment, stdout=subprocess.PIPE, text=True) as attached:
        assert attached.stdout is not None
        ready = next(line for line in attached.stdout if line.startswith("ready in"))
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+", ready)
        assert "no API_KEYS" in ready
        assert httpx.get(f"{url}/readyz").status_code == 200
        state = read_state(tmp_path)
        assert state is not None
        attached.send_signal(signal.SIGINT)
        assert attached.wait(60) == 0
        assert attached.stdout.read().splitlines()[-1] == "stopped"
    assert not any(process.alive for process in state.processes.values())


def test_a_detached_stack_outlives_its_command_and_is_not_started_twice(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = subprocess.run(
        [*LOCAL, "up", "--detach"], env=environment, check=True, timeout=90, capture_output=True, text=True
    )
    state = read_state(tmp_path)
    assert state is not None
    assert state.url in first.stdout
    assert httpx.get(f"{state.url}/readyz").status_code == 200
    again = subprocess.run(
        [*LOCAL, "up"], env=environment, check=True, timeout=90, capture_output=True, text=True
    )
    assert f"already running: {state.url}" in again.stdout
    for command, differently in (("up", {"STAGES": "real"}), ("call", {"PORT": "1"})):
        assert status_of(command, environment | differently, monkeypatch) == 1
        assert f"another stack runs: {state.url}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("up", "PORT=http"),
        ("up", "STAGES=fake"),
        ("call", "TURNS=0"),
        ("call", "PROTOCOL=sip"),
        ("call", "URL=localhost:8000"),
    ],
)
def test_a_wrong_setting_is_named(
    command: str, wrong: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, value = wrong.split("=")
    assert status_of(command, {name: value}, monkeypatch) == 2
    said = capsys.readouterr()
    assert said.out.startswith(f"{wrong}: ")
    assert said.err == ""


def test_down_clears_up_after_a_supervisor_that_was_killed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    subprocess.run([*LOCAL, "up", "--detach"], env=environment, check=True, timeout=90, capture_output=True)
    state = read_state(tmp_path)
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    ended = subprocess.run(
        [*LOCAL, "down"], env=environment, check=True, timeout=90, capture_output=True, text=True
    )
    assert "ended 7 leftover processes" in ended.stdout
    assert not any(is_alive(process.pid, process.started) for process in state.processes.values())
