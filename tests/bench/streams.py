"""Calls that only stream, for the gateway bench: stamped audio in, and stamped audio out on some of them.

    python -m tests.bench.streams --url ws://127.0.0.1:8000 --calls 80 --speaking 0.5 --out s.json

`--speaking` is the share of the calls that are being spoken to; `--frame-ms 0` sends nothing: idle calls.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pybase64
import uvloop

from tests.bench.figures import percentiles
from tests.bench.lean_socket import LeanSocket
from tests.bench.metronome import Metronome
from tests.bench.question import RATE
from tests.bench.stamps import STAMP_BYTES, Delays, age_of_base64, stamp
from tests.bench.wire import append_frame, text_frame

_DELTA = b'"delta":"'
_AUDIO = b'"type":"response.output_audio.delta"'
_SETTLE_S = 3.0
_OPENING_S = 30.0
_LOOK_EVERY_S = 0.02
_OPENED_AT_ONCE = 20


class StreamingCall:
    """One call. Its frames differ in their stamp only, so they are cut from one that is ready."""

    def __init__(self, delays: Delays, lateness_ms: array[float]) -> None:
        self._delays = delays
        self._lateness = lateness_ms
        self._metronome: Metronome | None = None
        self._socket: LeanSocket | None = None
        self._failures: list[str] = []
        self._ready = False

    async def open(self, url: str) -> None:
        """Connect and wait for the session."""
        self._socket = await LeanSocket.connect(url, "/v1/realtime", self._on_message)
        async with asyncio.timeout(_OPENING_S):
            while not self._ready:
                if self._socket.gone:
                    raise ConnectionError(self._socket.gone)
                await asyncio.sleep(_LOOK_EVERY_S)
        self._socket.write(
            text_frame(
                b'{"type":"session.update","session":{"type":"realtime","audio":{"input":{"turn_detection":'
                b'{"type":"server_vad","silence_duration_ms":200,"interrupt_response":false}}}}}'
            )
        )

    def stream(self, frame_ms: int) -> None:
        """Send stamped frames of this length from now on."""
        assert self._socket is not None
        write = _stamped_writer(self._socket, frame_ms)
        self._metronome = Metronome(frame_ms / 1000, write, self._lateness)
        self._metronome.start()

    def be_spoken_to(self) -> None:
        """Ask for a response."""
        assert self._socket is not None
        self._socket.write(text_frame(b'{"type":"response.create"}'))

    def close(self) -> list[str]:
        """End the call; returns what went wrong in it."""
        if self._metronome is not None:
            self._metronome.stop()
        if self._socket is not None:
            if self._socket.gone:
                self._failures.append(self._socket.gone)
            self._socket.close()
        return self._failures

    def _on_message(self, text: bytes) -> None:
        if _AUDIO in text:
            at = text.index(_DELTA) + len(_DELTA)
            if (age := age_of_base64(text[at : at + 32])) is not None:
                self._delays.add(age)
        elif b'"type":"session.created"' in text:
            self._ready = True
        elif b'"type":"error"' in text:
            self._failures.append(text.decode())


def _stamped_writer(socket: LeanSocket, frame_ms: int) -> Callable[[], None]:
    whole = append_frame(bytes(2 * RATE * frame_ms // 1000))
    size = len(pybase64.b64encode(bytes(STAMP_BYTES)))
    at = whole.index(b'"audio":"') + len(b'"audio":"')
    before, after = whole[:at], whole[at + size :]

    def write() -> None:
        socket.write(before + pybase64.b64encode(stamp()) + after)

    return write


async def run(
    url: str, calls: int, frame_ms: int, speaking: float, seconds: float, seed: int
) -> dict[str, Any]:
    """Hold the calls for `seconds` after they have settled, and return what was noted."""
    delays, lateness = Delays(), array("d")
    opened = [StreamingCall(delays, lateness) for _ in range(calls)]
    failures: list[str] = []
    try:
        for first in range(0, calls, _OPENED_AT_ONCE):
            await asyncio.gather(*(call.open(url) for call in opened[first : first + _OPENED_AT_ONCE]))
        shift = random.Random(seed)
        for call in opened:
            if frame_ms:
                asyncio.get_running_loop().call_later(shift.uniform(0, 1.0), call.stream, frame_ms)
        await asyncio.sleep(1.0)
        for call in opened[: round(calls * speaking)]:
            asyncio.get_running_loop().call_later(shift.uniform(0, 1.0), call.be_spoken_to)
        await asyncio.sleep(_SETTLE_S)
        start, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        end, cpu = time.monotonic(), time.process_time() - cpu
    finally:
        for call in opened:
            failures += call.close()
    await asyncio.sleep(0.2)
    return {
        "steady": [start, end],
        "cpu_share": cpu / (end - start),
        "late_ms": percentiles(lateness),
        "out_ms": delays.between(start, end),
        "failures": failures,
    }


def main() -> None:
    """Read the command line, hold the calls, write what was noted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True)
    parser.add_argument("--calls", type=int, default=80)
    parser.add_argument("--frame-ms", type=int, default=20)
    parser.add_argument("--speaking", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    gc.collect()
    gc.freeze()
    results = uvloop.run(
        run(given.url, given.calls, given.frame_ms, given.speaking, given.seconds, given.seed)
    )
    given.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
