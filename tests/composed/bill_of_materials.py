"""The list of what an image holds, against the lock file that it was made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name

OURS = re.compile(r"dialtone(-[a-z-]+)?")
# What an image is for, not what this is run with.
_IMAGE = {
    "python_version": "3.11",
    "python_full_version": "3.11.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
_ENTRY = re.compile(r"^([\w.-]+)==(\S+)(?: ; (.+?))? *\\?$", re.MULTILINE)


def locked(lock: str) -> dict[str, str]:
    """The packages of a lock file that an image gets, and their versions."""
    return {
        str(canonicalize_name(name)): version
        for name, version, marker in _ENTRY.findall(lock)
        if not marker or Marker(marker).evaluate(_IMAGE)
    }


def bill_problems(bill: dict[str, Any], lock: str, also: frozenset[str] = frozenset()) -> Iterator[str]:
    """Packages that are in the image and not in its lock, and the other way round.

    `bill`: CycloneDX in JSON, as syft writes it. Of Python's packages those below /app count, which are what
    the service runs with; `also` are those that may be there beside the locked ones.
    """
    components = bill.get("components", [])
    found = {
        str(canonicalize_name(component["name"])): component["version"]
        for component in components
        if component.get("purl", "").startswith("pkg:pypi/") and _is_installed(component)
    }
    wanted = locked(lock)
    for name, version in sorted(wanted.items()):
        if found.get(name) != version:
            yield f"{name} {version} is locked, and the image has {found.get(name, 'none')}"
    for name in sorted(found.keys() - wanted.keys()):
        if not OURS.fullmatch(name) and name not in also:
            yield f"{name} {found[name]} is in the image, and nobody locked it"
    if not any(OURS.fullmatch(name) for name in found):
        yield "nothing of ours is in it"
    if not any(component.get("purl", "").startswith("pkg:deb/") for component in components):
        yield "it names no package of Debian's"


def _is_installed(component: dict[str, Any]) -> bool:
    places = (item for item in component.get("properties", ()) if item["name"].endswith(":path"))
    return any(place["value"].startswith("/app/") for place in places)
