"""All benches, or one of them: `python -m tests.bench [simulated|gateway|real] [--quick]`.

Writes build/bench_<name>.json and .md for each, and build/bench.json and .md with the last figures of all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from dialtone.local.supervisor import StackFailed
from tests.bench import gateway, real, simulated
from tests.bench.stack import BUILD

Figures = dict[str, Any]


def main() -> int:
    """Run what the command line names; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="simulated, gateway, real; none: all of them"
    )
    parser.add_argument("--quick", action="store_true", help="few calls and turns: to see that it works")
    parser.add_argument("--calls", type=int, nargs="+", help="levels of the simulated bench")
    parser.add_argument("--turns", type=int, help="turns of each call at these levels")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    console = Console(emoji=False)

    def simulated_levels() -> tuple[simulated.Level, ...]:
        if given.calls:
            return tuple(simulated.Level(calls, given.turns or 4) for calls in given.calls)
        return simulated.QUICK_LEVELS if given.quick else simulated.LEVELS

    benches: dict[str, tuple[Callable[[], Figures], Callable[[Figures], str]]] = {
        "simulated": (
            lambda: simulated.run_simulated(simulated_levels(), given.seed, console),
            simulated.to_markdown,
        ),
        "gateway": (lambda: gateway.run_gateway(quick=given.quick, console=console), gateway.to_markdown),
        "real": (lambda: real.run_real(quick=given.quick, console=console), real.to_markdown),
    }
    names = given.names or list(benches)
    if unknown := set(names) - set(benches):
        parser.error(f"no bench {', '.join(sorted(unknown))}; there are {', '.join(benches)}")
    BUILD.mkdir(exist_ok=True)
    for name in names:
        run, to_markdown = benches[name]
        try:
            figures = run()
        except StackFailed as failure:
            console.print(f"{name}: {failure}", style="red", markup=False)
            return 1
        figures["taken"] = datetime.now(UTC).isoformat(timespec="seconds")
        _write(f"bench_{name}", figures, f"{to_markdown(figures)}\n{_on(figures)}")
    _combine(list(benches))
    console.print(f"written: {BUILD / 'bench.json'} and .md", highlight=False)
    return 0


def _on(figures: Figures) -> str:
    machine = figures["machine"]
    return (
        f"{figures['taken']}, on {machine['cores']} cores of {machine['cpu']}, "
        f"load {machine['load_before'][0]} when it began.\n"
    )


def _combine(names: list[str]) -> None:
    taken = [name for name in names if (BUILD / f"bench_{name}.json").exists()]
    everything = {name: json.loads((BUILD / f"bench_{name}.json").read_text()) for name in taken}
    pages = [(BUILD / f"bench_{name}.md").read_text() for name in taken]
    _write("bench", everything, "# Bench\n\n" + "\n".join(pages))


def _write(name: str, figures: Figures, page: str) -> None:
    (BUILD / f"{name}.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False))
    (BUILD / f"{name}.md").write_text(page)


if __name__ == "__main__":
    sys.exit(main())
