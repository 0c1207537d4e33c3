"""`python -m dialtone.local`: the whole stack on one machine."""

import argparse
import asyncio
import sys

from pydantic import ValidationError
from rich.console import Console

from dialtone.local.call.command import call
from dialtone.local.call.settings import CallSettings
from dialtone.local.down import down
from dialtone.local.models import fetch_models, list_models
from dialtone.local.settings import StackSettings
from dialtone.local.supervisor import StackFailed
from dialtone.local.up import supervise, up
from dialtone.models import manifest


def main() -> int:
    """Run the command named on the command line; return the exit status."""
    console = Console(emoji=False)
    arguments = _parser().parse_args()
    try:
        return _run(arguments, console)
    except ValidationError as wrong:
        for error in wrong.errors():
            reason = error["msg"].removeprefix("Value error, ")
            message = f"{str(error['loc'][0]).upper()}={error['input']}: {reason}"
            console.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
        return 2


def _run(arguments: argparse.Namespace, console: Console) -> int:
    settings = StackSettings()
    match arguments.command:
        case "up":
            changes = {
                "detach": settings.detach or arguments.detach,
                "log": settings.log or arguments.verbose,
            }
            return up(settings.model_copy(update=changes), console)
        case "supervise":
            return _supervise(settings)
        case "down":
            return down(settings.run_dir, console)
        case "call":
            return call(CallSettings(), settings, console)
        case "models" if arguments.list:
            list_models(console)
            return 0
        case _:
            names = [name for given in arguments.names for name in given.replace(",", " ").split()]
            wanted = names or [model.name for model in manifest().values() if not model.by_name]
            if not fetch_models(wanted, settings.models_dir, console, verify=arguments.verify):
                return 1
            console.print(f"{len(wanted)} models verified in {settings.models_dir}", highlight=False)
            return 0


def _supervise(settings: StackSettings) -> int:
    try:
        asyncio.run(supervise(settings))
    except StackFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dialtone.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="start the stack (PORT, STAGES, DETACH, LOG from the environment)")
    start.add_argument("--detach", action="store_true", help="return when it is ready")
    start.add_argument("-v", "--verbose", action="store_true", help="print what the processes log")
    commands.add_parser("down", help="end the stack that runs in the background")
    commands.add_parser(
        "call", help="place a call (WAV, OUT, TURNS, URL, PROTOCOL, ... from the environment)"
    )
    commands.add_parser("supervise", help="what `up --detach` starts: run the stack, say nothing")
    models = commands.add_parser(
        "models", help="fetch, join and verify models (by default all but those that nothing needs unasked)"
    )
    models.add_argument("names", nargs="*", metavar="NAME", help="names of the manifest, or org/repo[:file]")
    models.add_argument("--verify", action="store_true", help="hash files that are there once more")
    models.add_argument("--list", action="store_true", help="print the manifest")
    return parser


if __name__ == "__main__":
    sys.exit(main())
