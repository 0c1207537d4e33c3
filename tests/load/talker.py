"""The process that talks: commands on standard input, reports on standard output, until the input ends.

    python -m tests.load.talker --url http://127.0.0.1:8000 --question q.wav

`API_KEY` is what it presents, if the gateway asks for one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

import anyio.lowlevel
import numpy as np
import uvloop
from numpy.typing import NDArray

from dialtone.local.call.recording import FRAME_MS
from tests.bench.metronome import Metronome
from tests.bench.question import Question, load_question
from tests.load import realtime, voice_call
from tests.load.caller import Caller, Script
from tests.load.lines import HangUp, Pace, Place, Protocol, Report, read_command, write_line

_PACE_S = 5.0
_LAG_EVERY_S = 0.01
_CALLERS: dict[Protocol, type[Caller]] = {
    "realtime": realtime.RealtimeCaller,
    "voice_call": voice_call.VoiceCaller,
}


class Talker:
    """Makes the calls that it is told to make."""

    def __init__(self, script: Script) -> None:
        self._script = script
        silence = Question("silence", (bytes(len(script.questions[0].frames[0])),), 0)
        spoken = (silence, *script.questions)
        self._frames: dict[Protocol, Sequence[Sequence[bytes]]] = {
            "realtime": [realtime.frames_of(question) for question in spoken],
            "voice_call": [voice_call.frames_of(question) for question in spoken],
        }
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._lateness = array("d")

    async def run(self) -> None:
        """Serve until standard input ends, then hang up."""
        commands = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        await anyio.lowlevel.checkpoint()  # loads what httpx would in its first request, while others talk
        pacing = asyncio.create_task(self._tell_pace())
        try:
            while line := await commands.readline():
                match read_command(line):
                    case Place() as place:
                        self._place(place)
                    case HangUp(call):
                        if task := self._calls.get(call):
                            task.cancel()
        finally:
            left = [pacing, *self._calls.values()]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _place(self, place: Place) -> None:
        caller = _CALLERS[place.protocol](
            place.call, place.turns, self._script, self._frames[place.protocol], self._lateness, _tell
        )
        task = asyncio.create_task(caller.call())
        self._calls[place.call] = task
        task.add_done_callback(lambda _task: self._calls.pop(place.call))

    async def _tell_pace(self) -> None:
        lag_ms = array("d")
        ringing = Metronome(_LAG_EVERY_S, lambda: None, lag_ms)
        ringing.start()
        try:
            while True:
                began, cpu = time.monotonic(), time.process_time()
                await asyncio.sleep(_PACE_S)
                seconds, cpu_s = time.monotonic() - began, time.process_time() - cpu
                _tell(self._pace(seconds, cpu_s, np.asarray(lag_ms)))
                del self._lateness[:], lag_ms[:]
        finally:
            ringing.stop()

    def _pace(self, seconds: float, cpu_s: float, lag_ms: NDArray[np.float64]) -> Pace:
        late_ms = np.asarray(self._lateness)
        return Pace(
            calls=len(self._calls),
            seconds=round(seconds, 3),
            cpu_s=round(cpu_s, 3),
            frames=len(late_ms),
            late_frames=int((late_ms > FRAME_MS).sum()),
            late_p99_ms=round(float(np.percentile(late_ms, 99)), 2) if len(late_ms) else 0.0,
            lag_p99_ms=round(float(np.percentile(lag_ms, 99)), 2),
            lag_max_ms=round(float(lag_ms.max()), 2),
        )


def _tell(report: Report) -> None:
    sys.stdout.buffer.write(write_line(report) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, help="http://HOST:PORT of the gateway")
    parser.add_argument("--question", type=Path, action="append", required=True, help="WAV; may be repeated")
    parser.add_argument("--interrupt", type=float, default=0.1, help="share of the answers talked into")
    parser.add_argument(
        "--hang-up", type=float, default=0.1, help="share of the calls that end inside a turn"
    )
    parser.add_argument("--silence-ms", type=int, help="silence that ends a turn")
    given = parser.parse_args()
    questions = [load_question(path) for path in given.question]
    key = os.environ.get("API_KEY", "")
    talker = Talker(Script(given.url, key, questions, given.interrupt, given.hang_up, given.silence_ms))
    voice_call.trust()
    gc.collect()
    gc.freeze()  # what was loaded so far is not looked through again while it is measured
    uvloop.run(talker.run())


if __name__ == "__main__":
    main()
