"""A turn of minutes: every word of it, and its final as soon as that of a short one."""

import itertools

import jiwer
import numpy as np
import pytest

from dialtone.v1.ears_pb2 import CommitInput, Transcript
from dialtone.vad_asr.asr.pool import InferencePool
from dialtone.vad_asr.service import Ears
from tests.contract.bus.call_side import until
from tests.fixtures.speech import recording, silence, voice_like
from tests.vad_asr.conftest import ScriptedRecognizer
from tests.vad_asr.ears_call import EarsCall, manual, server_vad

READ_ALOUD = [
    "en_librivox_0870", "en_librivox_0880", "en_librivox_0890", "en_librivox_0920",
    "en_jfk", "en_librispeech_1995", "en_two_cities",
]  # fmt: skip


def words(text: str) -> list[str]:
    return "".join(char if char.isalnum() or char.isspace() else "" for char in text.lower()).split()


@pytest.mark.models
@pytest.mark.parametrize(("by_hand", "least_s"), [(False, 120), (True, 60)], ids=["vad", "manual"])
async def test_minutes_in_one_turn_are_transcribed_whole(
    real_ears: Ears, by_hand: bool, least_s: int
) -> None:
    pieces, expected = [silence(0.5)], list[str]()
    for each in itertools.cycle([recording(name) for name in READ_ALOUD]):
        if sum(map(len, pieces)) > least_s * 16_000:
            break
        pieces += [each.samples(), silence(0.3)]
        expected += words(each.transcript)
    call = EarsCall(manual() if by_hand else server_vad(2_000)).start(real_ears.handle)
    call.say(np.concatenate([*pieces, silence(2.5)]), 16_000)
    if by_hand:
        call.put(commit=CommitInput(utterance=1))
    await call.finish(200)
    (final,) = call.transcripts()
    assert jiwer.wer(" ".join(expected), " ".join(words(final.text))) < 0.07


async def test_of_a_long_turn_only_the_end_is_recognised_at_its_end(
    scripted_ears: Ears, pool: InferencePool, recognizer: ScriptedRecognizer
) -> None:
    config = server_vad(500)
    config.transcription.partials = True
    call = EarsCall(config).start(scripted_ears.handle)
    said = np.concatenate([np.tile(np.concatenate([voice_like(15), silence(0.3)]), 4), silence(0.8)])
    for at in range(0, len(said), 3_200):
        call.say(said[at : at + 3_200])
        await call.lease_idle()
        await until(lambda: pool.idle, "an idle pool")
    await call.finish()
    (final,) = call.transcripts()
    assert final.text.count("seconds") == 4
    lengths = [passage.seconds for batch in recognizer.batches for passage in batch]
    assert max(lengths) <= 20
    partials = call.transcripts(Transcript.KIND_PARTIAL)
    assert 55 <= len(partials) <= 76  # every 0.8 s, to the end
    assert partials[-1].text.count("seconds") == 4
    # What is settled is said the same from then on: the first passage, then the first two, ...
    settled = final.text.split(" seconds")[0]
    assert all(partial.text.startswith(settled) for partial in partials if partial.audio_end_us > 22_000_000)
