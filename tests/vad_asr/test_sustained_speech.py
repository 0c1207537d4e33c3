"""What tells a word from a cough: how long an utterance has been speech, silences after it left out."""

import numpy as np
import pytest

from dialtone.v1.ears_pb2 import EarsResume
from dialtone.vad_asr.service import Ears
from tests.fixtures.speech import Samples, silence, voice_like
from tests.vad_asr.ears_call import EarsCall, server_vad


def in_silence(*parts: Samples) -> Samples:
    return np.concatenate([silence(0.5), *parts, silence(1.0)])


@pytest.mark.parametrize(
    ("spoken_s", "wanted_ms", "announced"),
    [(0.4, 600, False), (0.8, 600, True), (0.8, 0, False), (0.3, 100, True)],
)
async def test_only_as_much_speech_as_was_asked_for_is_announced_and_that_once(
    simulated_ears: Ears, spoken_s: float, wanted_ms: int, announced: bool
) -> None:
    call = EarsCall(server_vad(500, sustained_speech_ms=wanted_ms)).start(simulated_ears.handle)
    call.say(in_silence(voice_like(spoken_s)))
    await call.finish()
    sustained = ["speech_sustained"] if announced else []
    assert call.bodies == ["speech_started", *sustained, "speech_stopped", "transcript", "leg_done"]


async def test_every_utterance_is_measured_by_itself(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad(300, sustained_speech_ms=600)).start(simulated_ears.handle)
    call.say(in_silence(voice_like(0.8), silence(0.6), voice_like(0.3), silence(0.6), voice_like(0.8)))
    await call.finish()
    assert [s.utterance for s in call.sustained] == [1, 3]


async def test_new_ears_announce_an_utterance_that_they_did_not_hear_begin(simulated_ears: Ears) -> None:
    resume = EarsResume(next_utterance=4, next_seq=1, in_speech=True, speech_start_us=0)
    call = EarsCall(server_vad(500, sustained_speech_ms=700), resume=resume).start(simulated_ears.handle)
    call.say(np.concatenate([silence(0.3), voice_like(1.0), silence(1.0)]))
    await call.finish()
    assert [s.utterance for s in call.sustained] == [3]
