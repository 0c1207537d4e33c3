"""A list of what an image holds tells of every package that is not the one that was locked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.composed.bill_of_materials import bill_problems, locked
from tests.deploy.rendered import ROOT, SERVICES

LOCK = """# a lock
anyio==4.16.0 \\
    --hash=sha256:13
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:14
typing-extensions==4.15.0 ; python_full_version < '3.13' \\
    --hash=sha256:15
"""


def _package(name: str, version: str, place: str = "/app/lib/python3.11/site-packages") -> dict[str, Any]:
    path = {"name": "syft:location:0:path", "value": f"{place}/{name}-{version}.dist-info/METADATA"}
    return {"name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}", "properties": [path]}


DEBIAN = {"name": "libc6", "version": "2.36", "purl": "pkg:deb/debian/libc6@2.36"}
RIGHT = [
    _package("anyio", "4.16.0"),
    _package("typing_extensions", "4.15.0"),
    _package("dialtone-gateway", "0.1.0"),
    _package("setuptools", "65.5.1", "/usr/local/lib/python3.11/site-packages"),  # of the base image
    DEBIAN,
]


def test_what_was_locked_for_an_image_is_what_is_in_it() -> None:
    assert list(bill_problems({"components": RIGHT}, LOCK)) == []


@pytest.mark.parametrize(
    ("components", "words"),
    [
        ([*RIGHT[1:]], "anyio 4.16.0 is locked, and the image has none"),
        ([_package("anyio", "4.15.0"), *RIGHT[1:]], "the image has 4.15.0"),
        ([*RIGHT, _package("leftpad", "1.0")], "leftpad 1.0 is in the image, and nobody locked it"),
        ([*RIGHT[:2], DEBIAN], "nothing of ours"),
        (RIGHT[:-1], "no package of Debian's"),
        ([], "anyio"),
    ],
)
def test_a_package_that_is_another_is_told(components: list[dict[str, Any]], words: str) -> None:
    assert any(words in problem for problem in bill_problems({"components": components}, LOCK))


def test_pip_is_for_an_image_that_fetches_wheels_alone() -> None:
    components = {"components": [*RIGHT, _package("pip", "23.2")]}
    assert list(bill_problems(components, LOCK)) == ["pip 23.2 is in the image, and nobody locked it"]
    assert list(bill_problems(components, LOCK, frozenset({"pip"}))) == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_entry_of_a_lock_counts(name: str) -> None:
    text = (ROOT / "services" / name / "requirements.lock").read_text()
    entries = [line for line in text.splitlines() if "==" in line and not line.startswith("#")]
    of_elsewhere = [line for line in entries if "win32" in line or "Windows" in line]
    assert len(locked(text)) >= len(entries) - len(of_elsewhere) > 0
