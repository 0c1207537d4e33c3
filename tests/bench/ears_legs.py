"""What hearing costs beside others: time and CPU of a frame while so many calls are heard in real time.

    python -m tests.bench.ears_legs [--legs 1 40 100] [--seconds 20] [--engine webrtc] [--talking 1.0]

All calls in one process, as in a worker, each with frames of 20 ms and 24 kHz at moments of its own. Callers
read aloud, with pauses, or are silent (`--talking 0.5`: half of them). Recognition is left out. The delay is
from the moment that a frame is due until what it reveals is known; of voice the network is asked, of silence
it is not. CPU is that of this process and of the model's. Needs the recordings and Silero.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random

import numpy as np

from dialtone.vad_asr.hearing import Hearing
from dialtone.vad_asr.policy import Engine
from dialtone.vad_asr.service import load_ears
from dialtone.vad_asr.settings import EarsSettings
from tests.bench.ears_frames import frames, hearing
from tests.bench.sampling import sample
from tests.fixtures.speech import SPEECH_FOLDER, find_recordings, silence

_RATE = 24_000
_FRAME_S = 0.02


async def listen(heard: Hearing, played: list[bytes], begin: float) -> list[float]:
    """Play the frames in real time from `begin` on; the delay of each, in ms."""
    loop = asyncio.get_running_loop()
    delays = []
    for number, frame in enumerate(played):
        due = begin + number * _FRAME_S
        if (ahead := due - loop.time()) > 0:
            await asyncio.sleep(ahead)
        async for _ in heard.hear(frame):
            pass
        delays.append((loop.time() - due) * 1e3)
    return delays


async def measure(engine: Engine, counts: list[int], seconds: float, talking: float) -> None:
    ears = await load_ears(EarsSettings(stages="simulated", vad_engine=engine))
    spoken = np.concatenate(
        [np.concatenate([each.samples(), silence(1.0)]) for each in find_recordings("speech", "en")]
    )
    chance = random.Random(1)
    size = round(seconds * 16_000)
    print(f"{'calls':>6}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'% of a core':>13}")
    try:
        for count in counts:
            begin = asyncio.get_running_loop().time() + 0.5
            legs = []
            for number in range(count):
                at = chance.randrange(len(spoken))
                speaks = number < round(count * talking)
                sound = np.resize(np.roll(spoken, -at), size) if speaks else silence(seconds)
                offset = chance.random() * _FRAME_S
                legs.append(listen(hearing(ears, _RATE), frames(sound, _RATE), begin + offset))
            before = sample({"ears": os.getpid()})["ears"].cpu_s
            delays = np.concatenate(await asyncio.gather(*legs))
            used = sample({"ears": os.getpid()})["ears"].cpu_s - before
            p50, p99 = np.quantile(delays, (0.5, 0.99))
            print(f"{count:6}{p50:9.2f}{p99:9.2f}{delays.max():9.2f}{used / seconds * 100:13.1f}")
    finally:
        await ears.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--legs", type=int, nargs="+", default=[1, 40, 100])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--engine", type=Engine, default=Engine.WEBRTC)
    parser.add_argument("--talking", type=float, default=1.0)
    given = parser.parse_args()
    if not find_recordings("speech", "en"):
        raise SystemExit(f"no recordings in {SPEECH_FOLDER}: set DIALTONE_SPEECH")
    asyncio.run(measure(given.engine, given.legs, given.seconds, given.talking))


if __name__ == "__main__":
    main()
