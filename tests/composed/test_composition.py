"""The composition that is checked is that of the file, on ports of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.composed.composition import FILE, PROJECT, Composition
from tests.composed.engine import Engine, NoEngine, found_engine
from tests.composed.scraped import JOBS, target_problems
from tests.composed.stand_ins import PYTHON, RECIPES, SERVERS
from tests.deploy.dockerfiles import IMAGES


def test_it_takes_no_port_that_another_may_have(tmp_path: Path) -> None:
    engine = Engine("docker", podman=False, variables={})
    composition = Composition(engine, tmp_path, ["gateway"], {"gateway": {8000: 12345}}, "simulated")
    ours = yaml.safe_load(composition.compose("config", timeout=60))
    theirs = yaml.safe_load(FILE.read_text())
    assert ours["name"] == PROJECT != theirs["name"]
    published = [
        (name, port["host_ip"], port["published"], port["target"])
        for name, service in ours["services"].items()
        for port in service.get("ports", ())
    ]
    assert published == [("gateway", "127.0.0.1", "12345", 8000)]
    assert {n: s["image"] for n, s in ours["services"].items()} == {
        n: s["image"] for n, s in theirs["services"].items()
    }


def test_without_an_engine_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoEngine, match="neither a Docker that answers nor podman"), found_engine(tmp_path):
        pytest.fail("an engine was found")


def test_the_command_fails_without_an_engine(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.composed", "--output", str(tmp_path)],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "nothing was run" in done.stdout


def _target(job: str, health: str = "up") -> dict[str, Any]:
    return {"labels": {"job": job}, "health": health, "lastError": "refused" if health != "up" else ""}


def test_a_target_that_is_down_or_missing_is_told() -> None:
    assert target_problems([_target(job) for job in JOBS]) == []
    assert target_problems([_target(job) for job in JOBS - {"llm"}]) == ["llm is not scraped"]
    down = target_problems([*(_target(job) for job in JOBS - {"tts"}), _target("tts", "down")])
    assert down == ["tts: refused", "tts is not scraped"]


def test_stand_ins_have_the_names_that_are_meant() -> None:
    for path in IMAGES.glob("*.Dockerfile"):
        assert f"ARG PYTHON={PYTHON}\n" in path.read_text()
    assert {path.stem for path in RECIPES.glob("*.Dockerfile")} == {"python", *SERVERS}
    assert set(SERVERS) <= yaml.safe_load(FILE.read_text())["services"].keys()
