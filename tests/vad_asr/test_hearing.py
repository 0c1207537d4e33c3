"""Long calls: the clock stays true and memory stays where it is."""

import asyncio

import numpy as np
import pytest

from dialtone.v1.ears_pb2 import EarsConfig
from dialtone.vad_asr.hearing import Hearing
from dialtone.vad_asr.policy import TurnDefaults, TurnPolicy
from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.vad.level import LevelGate
from dialtone.vad_asr.vad.tracker import VoiceTracker
from dialtone.vad_asr.vad.webrtc import WebRtcFlags
from tests.fixtures.speech import silence, voice_like
from tests.vad_asr.ears_call import PCM16_16K, EarsCall, manual, server_vad

SECOND = silence(1).tobytes()


def hearing(config: EarsConfig) -> Hearing:
    def new_tracker(policy: TurnPolicy, position: int) -> VoiceTracker:
        return VoiceTracker(LevelGate(), policy.threshold, WebRtcFlags(policy.aggressiveness, 30), position)

    return Hearing(
        PCM16_16K,
        TurnPolicy.of(config, TurnDefaults()),
        new_tracker,
        start_us=0,
        max_turn=960_000,
        kept_idle=480_000,
        kept_manual=4_800_000,
    )


@pytest.mark.parametrize(("config", "kept_s"), [(server_vad(), 30), (manual(), 300)], ids=["vad", "manual"])
async def test_an_hour_of_silence_is_not_kept(config: EarsConfig, kept_s: int) -> None:
    heard = hearing(config)
    for _ in range(3600):
        async for boundaries in heard.hear(SECOND):
            assert not boundaries
    assert heard.clock_us(heard.position) == 3_600_000_000
    assert heard.recording.end - heard.recording.start <= (kept_s + 1) * 16_000


async def test_a_burst_of_replayed_audio_lets_other_calls_in(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad()).start(simulated_ears.handle)
    call.say(np.concatenate([voice_like(20), silence(1)]))
    turns = 0
    while not call.transcripts():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10
    await call.cancel()
