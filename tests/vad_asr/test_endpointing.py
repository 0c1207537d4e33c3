"""When turns begin and end: measured on the audio clock, from the first and last audible sample."""

from dataclasses import replace

import numpy as np
import pytest

from dialtone.v1.ears_pb2 import EarsConfig, TurnDetection
from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.settings import EarsSettings
from tests.fixtures.speech import (
    Recording,
    Samples,
    find_recordings,
    recording,
    silence,
    voice_like,
    white_noise,
)
from tests.vad_asr.ears_call import EarsCall, audible, server_vad

LEAD_S = 1.0137  # not a whole number of frames: nothing is aligned in a call

WEBRTC, SILERO = TurnDetection.ENGINE_WEBRTC, TurnDetection.ENGINE_SILERO

# Clean recordings, in which the last audible sample is speech.
CLEAN = [
    "en_weather_question",
    "en_hello_world",
    "en_ae_quick_brown_fox",
    "en_cards_001",
    "zh_ae_nihao_shijie",
]


async def listen(ears: Ears, config: EarsConfig, samples: Samples) -> EarsCall:
    call = EarsCall(config).start(ears.handle)
    call.say(samples)
    await call.finish()
    return call


def in_silence(samples: Samples, tail_s: float = 2.0) -> Samples:
    return np.concatenate([silence(LEAD_S), samples, silence(tail_s)])


@pytest.mark.parametrize("silence_ms", [200, 300, 500, 750])
@pytest.mark.parametrize("length_s", [0.31, 0.5, 1.234])
async def test_a_turn_ends_the_silence_after_its_last_voiced_sample(
    simulated_ears: Ears, silence_ms: int, length_s: float
) -> None:
    samples = in_silence(voice_like(length_s))
    call = await listen(simulated_ears, server_vad(silence_ms), samples)
    _, last_ms = audible(samples)
    (stopped,) = call.stopped
    assert abs(stopped.speech_end_us / 1000 - last_ms) <= 15
    assert 0 <= stopped.audio_end_us / 1000 - last_ms - silence_ms <= 30


@pytest.mark.parametrize("aggressiveness", [0, 1, 2, 3])
async def test_no_mode_of_webrtcvad_adds_its_hangover(simulated_ears: Ears, aggressiveness: int) -> None:
    samples = in_silence(voice_like(1.0))
    call = await listen(simulated_ears, server_vad(200, aggressiveness=aggressiveness), samples)
    _, last_ms = audible(samples)
    assert call.stopped[-1].audio_end_us / 1000 - last_ms <= 230


@pytest.mark.models
@pytest.mark.parametrize("engine", [WEBRTC, SILERO], ids=["webrtc", "silero"])
@pytest.mark.parametrize("silence_ms", [200, 500])
@pytest.mark.parametrize("name", CLEAN)
async def test_recorded_turns_begin_early_and_end_on_time(
    gated_ears: Ears, name: str, silence_ms: int, engine: TurnDetection.Engine
) -> None:
    samples = in_silence(recording(name).samples())
    call = await listen(gated_ears, server_vad(silence_ms, engine=engine), samples)
    first_ms, last_ms = audible(samples)
    assert 0 <= call.stopped[-1].audio_end_us / 1000 - last_ms - silence_ms <= 30
    assert first_ms - 450 <= call.started[0].audio_start_us / 1000 <= first_ms
    assert len(call.started) == len(call.stopped) == len(call.transcripts())


@pytest.mark.models
async def test_speech_is_announced_within_150_ms_of_its_first_sound(gated_ears: Ears) -> None:
    delays = []
    for name in CLEAN:
        samples = in_silence(recording(name).samples())
        first_ms, _ = audible(samples)
        call = EarsCall(server_vad()).start(gated_ears.handle)
        fed = -320  # the last frame was taken, not heard
        while not call.started:
            fed += 320
            call.say(samples[fed : fed + 320])
            await call.lease_idle()
        delays.append(fed / 16 - first_ms)
        await call.cancel()
    assert np.median(delays) <= 120
    assert max(delays) <= 300  # a soft beginning


@pytest.mark.models
@pytest.mark.parametrize("noise", find_recordings("noise"), ids=lambda noise: noise.id)
async def test_recorded_noises_are_no_turns(gated_ears: Ears, noise: Recording) -> None:
    for engine in (WEBRTC, SILERO):
        call = await listen(gated_ears, server_vad(200, engine=engine), in_silence(noise.samples()))
        assert call.bodies == ["leg_done"]


@pytest.mark.models
@pytest.mark.parametrize("dbfs", [-60, -50, -40, -25, -10])
async def test_white_noise_is_no_turn(gated_ears: Ears, dbfs: float) -> None:
    call = await listen(gated_ears, server_vad(200), white_noise(8, dbfs))
    assert call.bodies == ["leg_done"]


@pytest.mark.models
async def test_a_turn_ends_in_background_noise_too(gated_ears: Ears) -> None:
    samples = in_silence(recording("en_weather_question").samples()).astype(np.int32)
    _, last_ms = audible(samples.astype(np.int16))
    noisy = np.clip(samples + white_noise(len(samples) / 16_000, -45), -32768, 32767).astype(np.int16)
    call = await listen(gated_ears, server_vad(500), noisy)
    assert len(call.stopped) == 1
    assert abs(call.stopped[0].audio_end_us / 1000 - last_ms - 500) <= 200


async def test_the_default_is_25_silent_frames_of_30_ms(simulated_ears: Ears) -> None:
    samples = in_silence(voice_like(1.0))
    turn = TurnDetection(mode=TurnDetection.MODE_SERVER_VAD, aggressiveness=1)
    call = await listen(simulated_ears, EarsConfig(turn_detection=turn), samples)
    _, last_ms = audible(samples)
    assert abs(call.stopped[0].audio_end_us / 1000 - last_ms - 25 * 30) <= 30


@pytest.mark.parametrize(
    ("eagerness", "silence_ms"),
    [
        (TurnDetection.EAGERNESS_LOW, 1500),
        (TurnDetection.EAGERNESS_MEDIUM, 900),
        (TurnDetection.EAGERNESS_UNSPECIFIED, 900),
        (TurnDetection.EAGERNESS_HIGH, 600),
    ],
)
async def test_without_words_semantic_turn_detection_waits_by_its_eagerness(
    simulated_ears: Ears, eagerness: TurnDetection.Eagerness, silence_ms: int
) -> None:
    samples = in_silence(voice_like(1.0))
    turn = TurnDetection(mode=TurnDetection.MODE_SEMANTIC_VAD, eagerness=eagerness)
    call = await listen(simulated_ears, EarsConfig(turn_detection=turn), samples)
    _, last_ms = audible(samples)
    assert abs(call.stopped[0].audio_end_us / 1000 - last_ms - silence_ms) <= 30


@pytest.mark.parametrize("padding_ms", [0, 100, 300])
async def test_the_prefix_is_kept(simulated_ears: Ears, padding_ms: int) -> None:
    samples = in_silence(voice_like(1.0))
    call = await listen(simulated_ears, server_vad(prefix_padding_ms=padding_ms), samples)
    first_ms, _ = audible(samples)
    assert abs(call.started[0].audio_start_us / 1000 - (first_ms - padding_ms)) <= 60


async def test_a_short_pause_is_part_of_the_turn(simulated_ears: Ears) -> None:
    samples = np.concatenate([silence(1), voice_like(0.8), silence(0.4), voice_like(0.8), silence(1)])
    assert len((await listen(simulated_ears, server_vad(500), samples)).started) == 1
    assert len((await listen(simulated_ears, server_vad(300), samples)).started) == 2


async def test_turns_do_not_share_audio(simulated_ears: Ears) -> None:
    samples = np.concatenate([silence(1), voice_like(0.8), silence(0.4), voice_like(0.8), silence(1)])
    call = await listen(simulated_ears, server_vad(200, prefix_padding_ms=1000), samples)
    assert call.started[1].audio_start_us >= call.stopped[0].audio_end_us


async def test_a_turn_that_does_not_end_is_ended(simulated_ears: Ears) -> None:
    ears = replace(simulated_ears, settings=EarsSettings(stages="simulated", max_turn_s=20))
    call = await listen(ears, server_vad(500), in_silence(voice_like(21.5)))
    assert len(call.started) == len(call.stopped) == 2
    length_us = call.stopped[0].audio_end_us - call.started[0].audio_start_us
    assert 20_000_000 <= length_us < 20_020_000
    assert call.started[1].audio_start_us >= call.stopped[0].audio_end_us
    assert [t.utterance for t in call.transcripts()] == [1, 2]
