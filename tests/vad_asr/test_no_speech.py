"""Sound that nobody speaks in, and speech that cannot be recognised, ask no model for an answer.

The ears and the call core are the real ones; between them is no broker.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import numpy as np
import pytest
import soxr

from dialtone.bus import Bus, Lease
from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Claim, Grant
from dialtone.v1.turn_pb2 import Message
from dialtone.vad_asr.asr.pool import InferencePool
from dialtone.vad_asr.asr.recognition import Passage, Recognition
from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.vad.level import LevelGate
from tests.contract.bus.call_side import until
from tests.core.harness import Rig
from tests.fixtures.speech import Samples, find_recordings, silence, voice_like, white_noise
from tests.vad_asr.pooled import pooled

RATE = 24_000
SECOND = 2 * RATE


class Phone:
    """A call and its ears. Stands where their bus does."""

    generation = 1

    def __init__(self) -> None:
        self.rig = Rig()
        self._lease: Lease | None = None

    async def request(self, _subject: str, payload: bytes, *, timeout: float) -> bytes:
        del timeout
        self._feed(do.WorkerFrame(WorkerEvent.FromString(payload), "_INBOX.1"))
        return self.rig.grants()[-1].SerializeToString()

    async def publish(self, _subject: str, payload: bytes) -> None:
        self._feed(do.WorkerFrame(WorkerEvent.FromString(payload)))

    def _feed(self, event: Any) -> None:
        for effect in self.rig.feed(event):
            if isinstance(effect, do.SendInput) and self._lease is not None:
                self._lease.receive(effect.frame)

    async def hear(self, ears: Ears) -> None:
        """Let these ears serve the call, until they are cancelled."""
        self._feed(ask.AppendAudio(audio=bytes(SECOND // 50)))
        (work,) = self.rig.work("asr")
        self._lease = Lease(cast(Bus, self), work, work.attempt_base, asyncio.Event())
        grant = await self._lease.ask(timeout=1, claim=Claim(worker_id="w"))
        self._lease.granted(Grant.FromString(grant))
        await ears.handle(self._lease)

    async def say(self, samples: Samples, *, turns: int = 0) -> None:
        """Sound at 16 kHz, and silence; wait until it was heard, and so many turns are over."""
        sound = np.concatenate([samples, silence(1.5)])
        audio = soxr.resample(sound, 16_000, RATE).astype("<i2").tobytes()
        before = len(self.over)
        for at in range(0, len(audio), SECOND):
            self._feed(ask.AppendAudio(audio=audio[at : at + SECOND]))
            self.rig.now += 1
        await until(lambda: self.rig.call._ears.unheard_since is None, "all to be heard", timeout=60)
        said = self.rig.call._turns
        await until(lambda: not said.pending and len(self.over) >= before + turns, "the words", timeout=60)

    @property
    def over(self) -> list[do.PutItem]:
        """User turns that have come to their words, or to none."""
        return [e for e in self.rig.effects if isinstance(e, do.PutItem)]

    @property
    def asked(self) -> list[list[str]]:
        """What the user said, in each prompt that a model was asked with."""
        return [
            [message.text for message in work.turn.messages if message.role == Message.ROLE_USER]
            for work in self.rig.work("llm")
        ]


@asynccontextmanager
async def calling(ears: Ears) -> AsyncIterator[Phone]:
    phone = Phone()
    hearing = asyncio.create_task(phone.hear(ears))
    await until(lambda: phone._lease is not None, "ears")
    try:
        yield phone
    finally:
        hearing.cancel()
        await asyncio.wait({hearing})


def fail() -> str:
    raise MemoryError("no room")


@pytest.fixture
def words() -> list[Callable[[], str]]:
    """What the recogniser does with each passage; at last with all that follow."""
    return [lambda: ""]


@pytest.fixture
async def ears(words: list[Callable[[], str]]) -> AsyncIterator[Ears]:
    """Take noise for speech, and understand what they are told to."""

    async def recognize(passages: Sequence[Passage]) -> list[Recognition]:
        return [Recognition((words.pop(0) if len(words) > 1 else words[0])(), "en", 1_000) for _ in passages]

    pool = InferencePool(recognize, workers=1, queue_limit=4)
    pool.start()

    async def nothing() -> None:
        return

    yield Ears(EarsSettings(), LevelGate, lambda: pooled(pool), nothing)
    await pool.close()


@pytest.mark.parametrize("nothing", [fail, lambda: ""], ids=["raises", "empty"])
async def test_what_cannot_be_recognised_is_neither_answered_nor_a_part_of_the_next_prompt(
    ears: Ears, words: list[Callable[[], str]], nothing: Callable[[], str]
) -> None:
    words[:] = [nothing]
    async with calling(ears) as phone:
        await phone.say(voice_like(1.0), turns=1)
        assert phone.asked == []
        assert phone.rig.of(out.ResponseCreated) == []
        words[:] = [lambda: "Hello."]
        await phone.say(voice_like(1.0), turns=1)
        assert phone.asked == [["Hello."]]


@pytest.mark.models
async def test_noise_asks_no_model(real_ears: Ears) -> None:
    async with calling(real_ears) as phone:
        for noise in [white_noise(2, -25), *(noise.samples() for noise in find_recordings("noise"))]:
            await phone.say(noise)
        assert phone.asked == []
        assert phone.rig.stored() == {}  # and nothing is a turn of the user's
