"""Build every image, bring Compose up, call through it, and take all away: `python -m tests.composed`.

Writes build/compose.json and .md, and a list of what each image holds to build/sbom. Needs Docker or podman.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.composed import stand_ins
from tests.composed.bill_of_materials import bill_problems
from tests.composed.engine import Engine, EngineFailed, NoEngine, found_engine, health_looked_after
from tests.composed.report import to_markdown
from tests.composed.running import Wanted, run_composition
from tests.deploy.dockerfiles import IMAGES
from tests.deploy.rendered import ROOT, SERVICES

NAMES = (*SERVICES, "models")


def main() -> int:
    """Do what the command line asks for; return the exit status: 0 when all of it is as it is to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.composed", description=__doc__)
    parser.add_argument(
        "--stand-ins",
        action="store_true",
        help="make images of others that are not here, of Debian's packages",
    )
    parser.add_argument("--stages", choices=["real", "simulated"], default="real")
    parser.add_argument("--turns", type=int, default=3, help="of each call")
    parser.add_argument("--no-build", action="store_true", help="the images are here already")
    parser.add_argument("--cuda", action="store_true", help="build the image for a GPU, too (some 4 GB)")
    parser.add_argument("--output", type=Path, default=ROOT / "build", help="folder of what is written")
    given = parser.parse_args()
    console = Console(emoji=False, soft_wrap=True)
    output: Path = given.output
    output.mkdir(exist_ok=True)
    figures: dict[str, Any] = {"images": {}, "problems": [], "not_run": []}
    with tempfile.TemporaryDirectory(prefix="compose-check-") as folder:
        try:
            with found_engine(Path(folder)) as engine:
                figures["engine"] = engine.run("--version").strip()
                wanted = Wanted(given.stages, given.turns, Path(folder))
                _all(engine, given, wanted, figures, console)
        except KeyboardInterrupt:
            return 130
        except (NoEngine, EngineFailed) as failure:
            console.print(str(failure), style="red", markup=False)
            figures["problems"].append(str(failure))
    figures["taken"] = datetime.now(UTC).isoformat(timespec="seconds")
    (output / "compose.json").write_text(json.dumps(figures, indent=2) + "\n")
    (output / "compose.md").write_text(to_markdown(figures))
    for problem in figures["problems"]:
        console.print(f"wrong: {problem}", style="red", markup=False, highlight=False)
    console.print(f"written: {output / 'compose.md'} and .json", highlight=False)
    return 1 if figures["problems"] else 0


def _all(
    engine: Engine, given: argparse.Namespace, wanted: Wanted, figures: dict[str, Any], console: Console
) -> None:
    if given.stand_ins:
        console.print("images of others: stand-ins for those that are not here")
        figures["stand_ins"] = stand_ins.make_missing(engine)
    if not given.no_build:
        for name in NAMES:
            _build(engine, name, given.output / "sbom", figures, console)
        if given.cuda:
            _build(engine, "vad-asr", given.output / "sbom", figures, console, cuda=True)
    if not given.cuda:
        figures["not_run"].append("the image for a GPU: --cuda builds it; no GPU was used")
    _check_bills(given.output / "sbom", figures)
    with health_looked_after(engine):
        run_composition(engine, wanted, figures, console)


def _build(
    engine: Engine, name: str, bills: Path, figures: dict[str, Any], console: Console, *, cuda: bool = False
) -> None:
    """Build an image as anybody would, by scripts/images.sh, which looks at it and lists what it holds."""
    shown = f"{name}-cuda" if cuda else name
    console.print(f"building {shown}")
    variables = {"ENGINE": engine.program, "SBOM": str(bills), **({"CUDA": "1"} if cuda else {})}
    began = time.monotonic()
    done = subprocess.run(
        [str(ROOT / "scripts/images.sh"), name],
        env={**os.environ, **engine.variables, **variables},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    if done.returncode:
        raise EngineFailed(f"{shown} was not built: {done.stdout[-1500:]}{done.stderr[-1500:]}")
    image = done.stdout.rpartition(": as it is to be")[0].split()[-1]
    size = engine.inspect("image", image)["Size"]
    figures["images"][shown] = {
        "image": image,
        "seconds": round(time.monotonic() - began, 1),
        "megabytes": round(size / 1e6),
    }


def _check_bills(bills: Path, figures: dict[str, Any]) -> None:
    for shown, image in figures["images"].items():
        bill = json.loads((bills / f"{shown}.cdx.json").read_text())
        # It fetches wheels, with the pip of Python's own release.
        also = frozenset({"pip"} if shown == "models" else ())
        figures["problems"] += [f"{shown}: {wrong}" for wrong in bill_problems(bill, _lock(shown), also)]
        image["components"] = len(bill["components"])


def _lock(shown: str) -> str:
    """The lock file that an image is made of."""
    locks = {
        "models": IMAGES / "models.lock",
        "vad-asr-cuda": ROOT / "services/vad-asr/requirements-cuda.lock",
    }
    return locks.get(shown, ROOT / "services" / shown / "requirements.lock").read_text()


if __name__ == "__main__":
    sys.exit(main())
