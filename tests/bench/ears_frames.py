"""What hearing costs: microseconds of CPU for a 20 ms frame, in silence and in speech.

    python -m tests.bench.ears_frames [--rates 24000 48000 8000] [--rounds 7]

One call in one thread, from the client's bytes to turn boundaries, recognition left out. Each round plays
all of the audio; the best round counts, for the others had company. Needs the recordings and Silero.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import numpy as np
import soxr

from dialtone.audio import pcm16_to_bytes
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AudioFormat
from dialtone.v1.ears_pb2 import EarsConfig, TurnDetection
from dialtone.vad_asr.hearing import Hearing
from dialtone.vad_asr.policy import TurnDefaults, TurnPolicy
from dialtone.vad_asr.service import Ears, load_ears
from dialtone.vad_asr.settings import EarsSettings
from tests.fixtures.speech import SPEECH_FOLDER, Samples, find_recordings, silence, white_noise

_SECONDS = 20
_FRAMES_PER_SECOND = 50


def frames(samples: Samples, rate: int) -> list[bytes]:
    """Samples at 16 kHz as a client sends them: PCM16 at that rate, 20 ms each."""
    converted = samples if rate == 16_000 else soxr.resample(samples, 16_000, rate)
    data, size = pcm16_to_bytes(converted), rate // _FRAMES_PER_SECOND * 2
    return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]


def hearing(ears: Ears, rate: int) -> Hearing:
    turns = TurnDetection(mode=TurnDetection.MODE_SERVER_VAD, silence_duration_ms=200, aggressiveness=1)
    return Hearing(
        AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=rate),
        TurnPolicy.of(EarsConfig(turn_detection=turns), TurnDefaults()),
        ears.new_tracker,
        start_us=0,
        max_turn=60 * 16_000,
        kept_idle=30 * 16_000,
        kept_manual=300 * 16_000,
    )


def microseconds_a_frame(ears: Ears, played: list[bytes], rate: int) -> float:
    """CPU time of this thread over the number of frames."""
    heard = hearing(ears, rate)
    begun = time.thread_time()
    for frame in played:
        for _ in heard.hear(frame):
            pass
    return (time.thread_time() - begun) / len(played) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=[24_000, 48_000, 16_000, 8_000])
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    recordings = find_recordings("speech", "en")
    if not recordings:
        raise SystemExit(f"no recordings in {SPEECH_FOLDER}: set DIALTONE_SPEECH")
    spoken = np.concatenate([recording.samples() for recording in recordings])[: _SECONDS * 16_000]
    ears = asyncio.run(load_ears(EarsSettings(stages="simulated")))
    print(f"{'us a frame of 20 ms':22}{'silence':>9}{'hiss':>9}{'speech':>9}")
    for rate in given.rates:
        best = []
        for sound in (silence(_SECONDS), white_noise(_SECONDS, -60), spoken):
            played = frames(sound, rate)
            best.append(min(microseconds_a_frame(ears, played, rate) for _ in range(given.rounds)))
        print(f"{f'{rate} Hz':22}" + "".join(f"{each:9.1f}" for each in best))


if __name__ == "__main__":
    main()
