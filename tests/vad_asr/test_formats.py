"""The same speech in every format a client may send, cut anywhere: the same turns, the same words."""

import itertools

import numpy as np
import pytest

from dialtone.audio import AudioDecoder, AudioEncoder, pcm16_to_float
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AudioFormat
from dialtone.vad_asr.service import Ears
from tests.contract.bus.call_side import until
from tests.fixtures.client_formats import FORMATS
from tests.fixtures.speech import Samples, recording, silence, voice_like
from tests.vad_asr.ears_call import EarsCall, server_vad

FRAMES_US = 40_000  # two frames of 20 ms


def encoded(samples: Samples, name: str) -> bytes:
    """What a client that speaks this format sends for samples at 16 kHz."""
    encoder = AudioEncoder(16_000, FORMATS[name])
    return encoder.feed(pcm16_to_float(samples)) + encoder.flush()


async def hear(ears: Ears, data: bytes, name: str, size: int) -> EarsCall:
    call = EarsCall(server_vad(300), audio_format=FORMATS[name]).start(ears.handle)
    for at in range(0, len(data), size * 1_000):
        call.say_bytes(data[at : at + size * 1_000], size)  # no more than what a gateway sends ahead
        await until(lambda: not call.lease.behind, "all to be heard")
    await call.finish()
    return call


def borders(call: EarsCall) -> list[int]:
    """Where turns began and ended, in order."""
    started = [started.audio_start_us for started in call.started]
    return sorted([*started, *(stopped.audio_end_us for stopped in call.stopped)])


@pytest.mark.parametrize(
    ("name", "size"),
    [("pcm", 5), ("pcm", 961), ("pcm", 48_000), ("pcmu", 1), ("pcmu", 37), ("pcma", 1), ("pcma", 8_000)],
)
async def test_turns_stand_at_the_same_times_whatever_the_format_and_the_cuts(
    simulated_ears: Ears, name: str, size: int
) -> None:
    said = np.concatenate([silence(0.4), voice_like(0.6), silence(0.5), voice_like(0.5), silence(0.5)])
    reference = borders(await hear(simulated_ears, encoded(said, "pcm"), "pcm", 960))
    call = await hear(simulated_ears, encoded(said, name), name, size)
    assert len(reference) == 4
    assert np.abs(np.subtract(borders(call), reference)).max() <= FRAMES_US
    assert len(call.transcripts()) == 2


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(FORMATS, 2)))
async def test_the_clock_stays_true_over_a_change_of_format(
    simulated_ears: Ears, first: str, second: str
) -> None:
    said = np.concatenate([silence(0.5), voice_like(0.8), silence(0.7)])
    reference = borders(await hear(simulated_ears, encoded(said, "pcm"), "pcm", 960))
    call = EarsCall(server_vad(300), audio_format=FORMATS[first]).start(simulated_ears.handle)
    call.say_bytes(encoded(said, first), 481)
    call.put(format=FORMATS[second])
    call.say_bytes(encoded(said, second), 481)
    call.put(format=FORMATS[first])
    call.say_bytes(encoded(said, first), 481)
    await call.finish()
    expected = [at + number * 2_000_000 for number in range(3) for at in reference]
    assert np.abs(np.subtract(borders(call), expected)).max() <= FRAMES_US


def telephone(samples: Samples) -> Samples:
    """What is left of speech below 4 kHz: a last "s" ends earlier there, whatever the format."""
    narrow = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=8_000)
    encoder, decoder = AudioEncoder(16_000, narrow), AudioDecoder(narrow, 16_000)
    data = encoder.feed(pcm16_to_float(samples)) + encoder.flush()
    return np.concatenate([decoder.feed(data), decoder.flush()])


@pytest.mark.models
@pytest.mark.parametrize(
    ("spoken", "words"),
    [
        ("en_weather_question", "whatistheweatherinparis"),
        ("en_ae_quick_brown_fox", "thequickbrownfoxjumpsoverthelazydog"),
        ("zh_ae_nihao_shijie", "世界"),
    ],
)
async def test_the_words_are_the_same_in_every_format(real_ears: Ears, spoken: str, words: str) -> None:
    said = np.concatenate([silence(0.5), telephone(recording(spoken).samples()), silence(0.8)])
    calls = [await hear(real_ears, encoded(said, name), name, 641) for name in FORMATS]
    first, *others = [borders(call) for call in calls]
    assert all(np.abs(np.subtract(first, other)).max() <= FRAMES_US for other in others)
    for call in calls:
        assert words in "".join(filter(str.isalnum, call.transcripts()[0].text.lower()))
