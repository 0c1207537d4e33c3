"""Ears of several kinds: with the default models, and without any."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from dialtone.fence import ModelProcess
from dialtone.models import ModelMissing, locate
from dialtone.vad_asr.asr.pool import InferencePool
from dialtone.vad_asr.asr.recognition import Passage, Recognition
from dialtone.vad_asr.asr.whisper import ShortWindowWhisper
from dialtone.vad_asr.service import Ears, load_ears
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.simulated import SimulatedTranscriber
from dialtone.vad_asr.vad.fenced import FencedNetwork, SileroGate, silero_process
from dialtone.vad_asr.vad.level import LevelGate
from dialtone.vad_asr.vad.silero import Network
from tests.vad_asr.pooled import pooled


def model_folder(name: str) -> Path:
    try:
        return locate(name)
    except ModelMissing as missing:
        pytest.skip(str(missing))


async def _nothing() -> None:
    return


class ScriptedRecognizer:
    """Answers with the length of each passage, or with `text`: for what lies around a recogniser."""

    def __init__(self) -> None:
        self.text = ""
        self.until: float | None = None  # where in a passage it stops, in seconds
        self.batches: list[list[Passage]] = []
        self.before: Callable[[], None] = lambda: None

    async def recognize(self, passages: Sequence[Passage]) -> list[Recognition]:
        return await asyncio.to_thread(self._recognize, passages)

    def _recognize(self, passages: Sequence[Passage]) -> list[Recognition]:
        self.batches.append(list(passages))
        self.before()
        return [
            Recognition(self.text or f"{p.seconds:.2f} seconds", p.language or "en", 1000, self.until)
            for p in passages
        ]


@pytest.fixture
def simulated_ears() -> Ears:
    """As the simulated stages on a machine without models: webrtcvad and loudness."""
    return Ears(EarsSettings(stages="simulated"), LevelGate, SimulatedTranscriber, _nothing)


@pytest.fixture
def recognizer() -> ScriptedRecognizer:
    return ScriptedRecognizer()


@pytest.fixture
async def pool(recognizer: ScriptedRecognizer) -> AsyncIterator[InferencePool]:
    """A pool that recognises one passage at a time with `recognizer`, with room for two."""
    started = InferencePool(recognizer.recognize, workers=1, queue_limit=2)
    started.start()
    yield started
    await started.close()


@pytest.fixture
def scripted_ears(pool: InferencePool) -> Ears:
    """Real endpointing and the real pool, without models."""
    return Ears(EarsSettings(), LevelGate, lambda: pooled(pool), _nothing)


@pytest.fixture(scope="session")
def silero() -> Iterator[ModelProcess[Network]]:
    """The default network; needs its model."""
    process = silero_process(model_folder("silero-vad"))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(process.start())
    yield process
    loop.run_until_complete(process.close())
    loop.close()


@pytest.fixture
async def gated_ears(silero: ModelProcess[Network]) -> AsyncIterator[Ears]:
    """Simulated answers behind the real gate, Silero; needs its model."""
    network = FencedNetwork(silero, timeout_s=5.0)
    yield Ears(EarsSettings(stages="simulated"), partial(SileroGate, network), SimulatedTranscriber, _nothing)
    await network.close()


@pytest.fixture
async def real_ears() -> AsyncIterator[Ears]:
    """The ears as installed; needs the default models."""
    for name in ("silero-vad", "whisper-base"):
        model_folder(name)
    ears = await load_ears(EarsSettings())
    yield ears
    await ears.close()


@pytest.fixture(scope="session")
def whisper() -> ShortWindowWhisper:
    """The default recogniser; needs the default models."""
    return ShortWindowWhisper(model_folder("whisper-base"), languages=["en", "zh"], device="cpu")
