"""`python -m dialtone.gateway.replay FILE`: run a recorded call again, and see that it does the same.

Exit status: 0 the same, to the byte; 1 it does something else; 2 the file cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from dialtone.gateway.core import effects as do
from dialtone.gateway.core.recording import Unreadable, read_frames
from dialtone.gateway.core.rerun import CallRerun, Rerun
from dialtone.gateway.dialects import Dialect, Frame
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.gateway.dialects.realtime_beta import RealtimeBetaDialect
from dialtone.gateway.dialects.realtime_socket import RealtimeSocket
from dialtone.gateway.dialects.voice_call import VoiceCallDialect
from dialtone.gateway.runtime.call_files import code_fingerprint
from dialtone.gateway.runtime.call_runner import is_for_client

DIALECTS: dict[str, Callable[[], RealtimeDialect | RealtimeBetaDialect | VoiceCallDialect]] = {
    dialect.name: dialect for dialect in (RealtimeDialect, RealtimeBetaDialect, VoiceCallDialect)
}


class Replay:
    """A recorded call with its client's end of the line."""

    def __init__(self, rerun: CallRerun) -> None:
        """Raises Unreadable when the dialect is not known."""
        beginning = rerun.beginning
        if beginning.dialect not in DIALECTS:
            raise Unreadable(f"The dialect '{beginning.dialect}' is not known.")
        dialect = DIALECTS[beginning.dialect]()
        dialect.configure(beginning.config)
        if isinstance(dialect, RealtimeSocket):
            dialect.event_prefix = beginning.event_prefix
        self._dialect: Dialect = dialect
        self._rerun = rerun

    def steps(self) -> Iterator[tuple[Rerun, list[Frame]]]:
        """Each step run again, with the frames that its client is sent. Raises Unreadable."""
        for rerun in self._rerun.steps():
            yield rerun, list(self._frames(rerun.effects))

    def _frames(self, effects: list[do.Effect]) -> Iterator[Frame]:
        for effect in effects:
            if isinstance(effect, do.Send) and is_for_client(effect.event, self._rerun.call.config):
                yield from self._dialect.encode(effect.event)


def replay(path: Path, *, show_frames: bool) -> bool:
    """Run the recording again and print what is to be said of it; whether it went the same way."""
    with path.open("rb") as file:
        rerun = CallRerun(read_frames(file))
        steps = effects = 0
        for step, frames in Replay(rerun).steps():
            steps, effects = steps + 1, effects + len(step.effects)
            if show_frames:
                for frame in frames:
                    print(frame if isinstance(frame, str) else f"({len(frame)} bytes)")
            if step.difference:
                print(f"DIFFERENT at event {steps}, a {step.step.kind} at {step.step.now:.6f} s: ", end="")
                print(step.difference)
                if rerun.beginning.code != code_fingerprint():
                    print("The recording was made by other code than this.")
                return False
    print(f"the same: {steps} events, {effects} effects")
    if rerun.cut:
        print(f"The recording ends before its call: {rerun.cut}.")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dialtone.gateway.replay", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--frames", action="store_true", help="print every frame that the client was sent")
    arguments = parser.parse_args()
    try:
        return 0 if replay(arguments.file, show_frames=arguments.frames) else 1
    except (OSError, Unreadable) as error:
        print(f"{arguments.file}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
