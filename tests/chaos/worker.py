"""A worker of a stage with a deterministic model: `python -m tests.chaos.worker asr|llm|tts|moshi`.

All but the models is the service's own. The ears recognise the words of `tests.chaos.words`, the model
repeats them in three sentences, and the voice speaks each character as a tone, at a steady pace, so that
every phase of a turn lasts long enough to be hit. Moshi is that of the simulated stages.
"""

from __future__ import annotations

import asyncio
import math
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence

import numpy as np

from dialtone.audio import Float32
from dialtone.bus import Stage
from dialtone.llm.answer import Event
from dialtone.llm.backends.simulated import SimulatedBackend
from dialtone.llm.handler import TurnHandler
from dialtone.llm.moshi.service import loaded
from dialtone.llm.moshi.settings import MoshiSettings
from dialtone.llm.moshi.simulated import SimulatedEngine
from dialtone.llm.registry import ModelRegistry, lines_of
from dialtone.llm.settings import LlmSettings
from dialtone.settings import read_settings
from dialtone.tts.engines.base import Style
from dialtone.tts.settings import TtsSettings
from dialtone.tts.speaker import Speaker
from dialtone.tts.voices import EVERY_LANGUAGE, Voice, VoiceRegistry
from dialtone.v1.common_pb2 import Usage
from dialtone.v1.turn_pb2 import LlmTurn, Message, TextDelta, TurnDone
from dialtone.vad_asr.asr.pool import Urgency
from dialtone.vad_asr.asr.recognition import Passage, Recognition
from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.transcriber import SoFar, Transcription
from dialtone.vad_asr.vad.level import LevelGate
from dialtone.worker import Loaded, run_worker
from tests.chaos.words import recognise

SLOTS = 32
RECOGNISING_S = 0.25
TOKEN_S = 0.03
_RATE = 24_000
_CHARACTER = _RATE // 50
_BLOCK = _RATE // 10
BLOCK_S = 0.04  # 2.5 times as fast as it plays
BLOCK = signal.SIGUSR1  # something in the process does not give the event loop back
_BLOCKED_S = 2.0


class WordTranscriber:
    """Recognises the words of a turn, in a fixed time."""

    early = False
    live = False
    ends_turns = False
    idle = False

    def use(self, model: str) -> None:
        """There is one."""

    def begin(
        self, passages: Sequence[Passage], urgency: Urgency, so_far: SoFar | None = None
    ) -> Transcription:
        del urgency, so_far
        return _Words(" ".join(recognise(passage.samples) for passage in passages).strip())

    async def close(self) -> None:
        """Nothing to let go of."""


class _Words:
    def __init__(self, text: str) -> None:
        self._text = text
        self._due = asyncio.get_running_loop().time() + RECOGNISING_S

    @property
    def done(self) -> bool:
        return asyncio.get_running_loop().time() >= self._due

    @property
    def failed(self) -> bool:
        return False

    async def result(self) -> Recognition:
        await asyncio.sleep(self._due - asyncio.get_running_loop().time())
        return Recognition(self._text, "en", round(RECOGNISING_S * 1e6))

    def promote(self) -> None:
        """It is final from the start."""

    def cancel(self) -> None:
        """Nothing runs that could be ended."""


def sentences_about(question: str) -> list[str]:
    """What is answered."""
    return [
        f"You said {question}.",
        "There is nothing that I have to add to it.",
        "Please go on when you like.",
    ]


class EchoBackend:
    """Repeats what the user said last, a word every 30 ms."""

    name = "simulated"
    abilities = SimulatedBackend.abilities
    breaker = None

    async def load(self) -> None:
        """Nothing to load."""

    def check(self, turn: LlmTurn) -> None:
        """It takes every turn."""

    async def stream(
        self, turn: LlmTurn, delivered: str = "", *, again: bool = True, first_token_by: float = math.inf
    ) -> AsyncGenerator[Event, None]:
        """Yield the answer from where `delivered` ends, which is to be a part of it."""
        del again, first_token_by
        asked = [message.text for message in turn.messages if message.role == Message.ROLE_USER]
        answer = " ".join(sentences_about(asked[-1]))
        if not answer.startswith(delivered):
            answer = f"{delivered} is not what was said."
        tokens = answer[len(delivered) :].split(" ")
        for number, token in enumerate(tokens):
            await asyncio.sleep(TOKEN_S)
            yield TextDelta(text=token if number + 1 == len(tokens) else f"{token} ")
        yield TurnDone(finish_reason=TurnDone.FINISH_REASON_STOP, usage=Usage(output_tokens=len(tokens)))

    async def close(self) -> None:
        """Nothing to close."""


class SpellingEngine:
    """Speaks 20 ms of tone for each character, of a pitch of its own, `block_s` for each 100 ms."""

    name = "spelling"
    sample_rate = _RATE

    def __init__(self, block_s: float = BLOCK_S) -> None:
        self._block_s = block_s

    async def speak(self, text: str, style: Style) -> AsyncGenerator[Float32, None]:
        """Yield the tones."""
        del style
        at = np.arange(_CHARACTER) / _RATE
        pitches = [300.0 + 25.0 * (ord(character) % 96) for character in text]
        tones = [0.3 * np.sin(2 * np.pi * pitch * at) for pitch in pitches]
        audio = np.concatenate(tones).astype(np.float32)
        for first in range(0, len(audio), _BLOCK):
            await asyncio.sleep(self._block_s)
            yield audio[first : first + _BLOCK]

    async def warm_up(self) -> None:
        """Nothing gets faster."""


def speaker(settings: TtsSettings, block_s: float = BLOCK_S) -> Speaker:
    """The service's handler with this voice."""
    voice = Voice("spelling", EVERY_LANGUAGE, SpellingEngine(block_s), any_script=True)
    return Speaker(VoiceRegistry({"spelling": voice}, {}), settings)


def _heed_blocks() -> None:
    asyncio.get_running_loop().add_signal_handler(BLOCK, time.sleep, _BLOCKED_S)


async def _nothing_to_close() -> None:
    return


def _ears() -> None:
    settings = read_settings(EarsSettings)

    async def load() -> Loaded:
        _heed_blocks()
        ears = Ears(settings, LevelGate, WordTranscriber, _nothing_to_close)
        return Loaded(ears.handle, SLOTS)

    run_worker(service="asr", stage=Stage.ASR, settings=settings, load=load)


def _model() -> None:
    settings = read_settings(LlmSettings)

    async def load() -> Loaded:
        _heed_blocks()
        lines, default = lines_of(settings)
        return Loaded(TurnHandler(ModelRegistry(lines, default, lambda _entry: EchoBackend())), SLOTS)

    run_worker(service="llm", stage=Stage.LLM, settings=settings, load=load)


def _voice() -> None:
    settings = read_settings(TtsSettings)

    async def load() -> Loaded:
        _heed_blocks()
        return Loaded(speaker(settings).handle, SLOTS)

    run_worker(service="tts", stage=Stage.TTS, settings=settings, load=load)


def _moshi() -> None:
    settings = read_settings(MoshiSettings)

    async def load() -> Loaded:
        _heed_blocks()
        return await loaded(settings, SimulatedEngine(SLOTS))

    run_worker(service="moshi", stage=Stage.MOSHI, settings=settings, load=load)


def main() -> None:
    """Run until told to stop."""
    stages: dict[str, Callable[[], None]] = {"asr": _ears, "llm": _model, "tts": _voice, "moshi": _moshi}
    stages[sys.argv[1]]()


if __name__ == "__main__":
    main()
