"""What hearing costs: microseconds of CPU for a 20 ms frame, in silence and in speech.

    python -m tests.bench.ears_frames [--rates 24000 48000 8000] [--rounds 7]

One call as quick as it goes, from the client's bytes to turn boundaries, recognition left out: what this
process and the model's take. Each round plays all of the audio, and the best round counts, for the others had
company. Needs the recordings and Silero.
"""

from __future__ import annotations

import argparse
import asyncio
import os

import numpy as np
import soxr

from dialtone.audio import pcm16_to_bytes
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AudioFormat
from dialtone.v1.ears_pb2 import EarsConfig, TurnDetection
from dialtone.vad_asr.hearing import Hearing
from dialtone.vad_asr.policy import TurnPolicy
from dialtone.vad_asr.service import Ears, load_ears
from dialtone.vad_asr.settings import EarsSettings
from tests.bench.sampling import sample
from tests.fixtures.speech import SPEECH_FOLDER, Samples, find_recordings, silence, white_noise

_SECONDS = 20
_FRAMES_PER_SECOND = 50


def frames(samples: Samples, rate: int) -> list[bytes]:
    """Samples at 16 kHz as a client sends them: PCM16 at that rate, 20 ms each."""
    converted = samples if rate == 16_000 else soxr.resample(samples, 16_000, rate)
    data, size = pcm16_to_bytes(converted), rate // _FRAMES_PER_SECOND * 2
    return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]


def hearing(ears: Ears, rate: int) -> Hearing:
    """A call that turns are found in as the settings of these ears say."""
    turns = TurnDetection(mode=TurnDetection.MODE_SERVER_VAD, silence_duration_ms=200, aggressiveness=1)
    return Hearing(
        AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=rate),
        TurnPolicy.of(EarsConfig(turn_detection=turns), ears.settings.turn_defaults()),
        ears.new_tracker,
        start_us=0,
        max_turn=60 * 16_000,
        kept_idle=30 * 16_000,
        kept_manual=300 * 16_000,
    )


async def microseconds_a_frame(ears: Ears, played: list[bytes], rate: int) -> float:
    """CPU time over the number of frames."""
    heard = hearing(ears, rate)
    begun = _cpu_s()
    for frame in played:
        async for _ in heard.hear(frame):
            pass
    return (_cpu_s() - begun) / len(played) * 1e6


def _cpu_s() -> float:
    return sample({"ears": os.getpid()})["ears"].cpu_s


async def measure(rates: list[int], rounds: int, spoken: Samples) -> None:
    ears = await load_ears(EarsSettings(stages="simulated"))
    print(f"{'us a frame of 20 ms':22}{'silence':>9}{'hiss':>9}{'speech':>9}")
    try:
        for rate in rates:
            best = []
            for sound in (silence(_SECONDS), white_noise(_SECONDS, -60), spoken):
                played = frames(sound, rate)
                best.append(min([await microseconds_a_frame(ears, played, rate) for _ in range(rounds)]))
            print(f"{f'{rate} Hz':22}" + "".join(f"{each:9.1f}" for each in best))
    finally:
        await ears.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=[24_000, 48_000, 16_000, 8_000])
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    recordings = find_recordings("speech", "en")
    if not recordings:
        raise SystemExit(f"no recordings in {SPEECH_FOLDER}: set DIALTONE_SPEECH")
    spoken = np.concatenate([recording.samples() for recording in recordings])[: _SECONDS * 16_000]
    asyncio.run(measure(given.rates, given.rounds, spoken))


if __name__ == "__main__":
    main()
