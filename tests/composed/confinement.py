"""Whether what runs in a container can do no more than it has to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.composed.engine import Engine

_FIELD = re.compile(r"^(Uid|CapEff|CapPrm|NoNewPrivs|Seccomp):\s+(\S+)", re.MULTILINE)


def process_problems(status: str) -> Iterator[str]:
    """What is wrong with a process, by its /proc/PID/status."""
    said = dict(_FIELD.findall(status))
    if said.get("Uid", "0") == "0":
        yield "runs as root"
    if int(said.get("CapEff", "1"), 16) or int(said.get("CapPrm", "1"), 16):
        yield f"has rights: {said.get('CapEff')}"
    if said.get("NoNewPrivs") != "1":
        yield "may get more rights"
    if said.get("Seccomp") != "2":
        yield "may make every system call"


def container_problems(engine: Engine, container: str) -> Iterator[str]:
    """What is wrong with a container that runs, looked at from inside."""
    status = engine.tried("exec", container, "cat", "/proc/1/status")
    if status.returncode:
        yield f"cannot be looked at: {status.stderr.strip()[-200:]}"
    else:
        yield from process_problems(status.stdout)
    for place in ("/", "/app", "/etc", "/usr"):
        if engine.tried("exec", container, "touch", f"{place}/written").returncode == 0:
            yield f"writes to {place}"
    if not engine.inspect("container", container)["HostConfig"]["ReadonlyRootfs"]:
        yield "has a root file system that can be written to"
