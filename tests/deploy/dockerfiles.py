"""What a Dockerfile has to be."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator

from tests.deploy.rendered import ROOT

IMAGES = ROOT / "deploy" / "images"
USER = "10001:10001"
_ARGUMENT = re.compile(r"\$\{(\w+)\}")


def instructions(text: str) -> list[tuple[str, str]]:
    """Name and rest of each instruction, continued lines joined."""
    whole = re.sub(r"\\\n\s*", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    pairs = (line.split(maxsplit=1) for line in whole.splitlines() if line.strip())
    return [(name, rest) for name, rest in pairs]


def problems(text: str) -> Iterator[str]:
    """What is wrong with a Dockerfile, if anything."""
    said = instructions(text)
    defaults = dict(rest.split("=", 1) for name, rest in said if name == "ARG")
    last = max(number for number, (name, _) in enumerate(said) if name == "FROM")
    stages = {rest.split(" AS ")[1] for name, rest in said if name == "FROM" and " AS " in rest}
    for name, rest in said:
        if name == "FROM":
            base = _ARGUMENT.sub(lambda found: defaults[found[1]], rest.split(" AS ")[0])
            tag = base.rpartition("/")[2].partition(":")[2]
            if base not in stages and (not tag or tag == "latest"):
                yield f"base {base} is any"
        if name == "ADD" or (name == "RUN" and re.search(r"\b(curl|wget)\b", rest)):
            yield "something is fetched that nobody has verified"
        if name == "RUN":
            for command in re.split(r"&&|;|\|\|", rest):
                if re.search(r"\bpip\b.* (install|wheel)\b", command) and not (
                    "--require-hashes" in command or "--no-deps --no-" in command
                ):
                    yield f"packages without hashes: {command.strip()[:80]}"
                if re.search(r"\bnpm\b", command) and not re.search(r"\bnpm\S* ci$", command.strip()):
                    yield f"npm packages without their lock: {command.strip()[:80]}"
        if name == "COPY" and not rest.startswith("--from"):
            for source in shlex.split(rest)[:-1]:
                if not (ROOT / _ARGUMENT.sub(lambda found: defaults[found[1]], source)).exists():
                    yield f"no {source}"
    final = dict(said[last:])
    if final.get("USER") != USER:
        yield "runs as root"
    if "HEALTHCHECK" not in final:
        yield "no health check"
    command = json.loads(final.get("ENTRYPOINT") or final.get("CMD", "[]"))
    if command[:2] != ["python", "-m"] or importlib.util.find_spec(command[2]) is None:
        yield f"runs {command}, which is nothing of ours"


def lock_problems(text: str) -> Iterator[str]:
    """What is wrong with a lock file, if anything."""
    entries = re.sub(r"\\\n\s*", " ", text).splitlines()
    for entry in entries:
        if entry.startswith("#") or not entry.strip():
            continue
        if not re.match(r"[a-z0-9][a-z0-9.-]*==\S+( ;[^\n]*?)? +--hash=sha256:[0-9a-f]{64}", entry):
            yield f"not exact, or without a hash: {entry[:80]}"
        if entry.startswith(("dialtone-", "pip==", "hatchling==")):
            yield f"not for an image that runs: {entry[:40]}"
