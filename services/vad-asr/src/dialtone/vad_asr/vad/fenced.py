"""Silero in a process of its own: what it crashes on, or hangs in, costs no other call its turns.

What the network remembers of a stream stays here, with the stream. So its process can be lost at any moment:
the next one goes on where it was. One question is on its way at a time, and takes along what all streams have
to ask by then: together they cost less than one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dialtone.bus import HandBack
from dialtone.fence import ModelGone, ModelProcess
from dialtone.telemetry import get_logger
from dialtone.vad_asr import metrics
from dialtone.vad_asr.vad.chunks import CHUNK_BYTES
from dialtone.vad_asr.vad.level import LevelGate
from dialtone.vad_asr.vad.silero import CONTEXT_BYTES, Network, judge, load

log = get_logger(__name__)

_TOGETHER = 64  # streams in one question
_HOPELESS = 0.02  # seconds a chunk: a network that is slower is of use to nobody
_EVERY = 0.006  # seconds from one question to the next, so that streams that keep up ask together

State = NDArray[np.float32]
"""What the network remembers of one stream: [2, 128]."""


class NetworkFailed(Exception):
    """The network failed on this stream; others are not affected."""


@dataclass(slots=True)
class _Asked:
    sound: bytes  # the context, and chunks
    state: State
    answer: asyncio.Future[tuple[list[float], State]]


class FencedNetwork:
    """Asks `model` for all streams. A question hangs that takes `timeout_s`, and longer than is hopeless."""

    def __init__(self, model: ModelProcess[Network], timeout_s: float, every_s: float = _EVERY) -> None:
        self._model = model
        self._timeout_s = timeout_s
        self._every_s = every_s
        self._waiting: list[_Asked] = []  # bounded: a stream waits for its answer
        self._due: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._began = 0.0

    async def judge(self, sound: bytes, state: State) -> tuple[list[float], State]:
        """(probability of each chunk in `sound`, behind its context; the state after them).

        Raises NetworkFailed, and HandBack where there is no network any more.
        """
        asked = _Asked(sound, state, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._arrange(at_once=len(sound) > CONTEXT_BYTES + CHUNK_BYTES)  # who is behind is company enough
        return await asked.answer

    async def close(self) -> None:
        """Ask no more; who waits is cancelled."""
        if self._due is not None:
            self._due.cancel()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
        for asked in self._waiting:
            asked.answer.cancel()

    def _arrange(self, *, at_once: bool = False) -> None:
        if self._asking is not None or not self._waiting:
            return  # when it is answered, there is a look at who waits
        loop = asyncio.get_running_loop()
        delay = self._began + self._every_s - loop.time()
        if at_once or delay <= 0:
            self._ask()
        elif self._due is None:
            self._due = loop.call_later(delay, self._ask)

    def _ask(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        batch, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
        self._began = asyncio.get_running_loop().time()
        self._asking = asyncio.create_task(self._answer(batch))
        self._asking.add_done_callback(self._answered)

    def _answered(self, asking: asyncio.Task[None]) -> None:
        self._asking = None
        if not asking.cancelled():
            self._arrange()

    async def _answer(self, batch: Sequence[_Asked]) -> None:
        """Answer all; who breaks the network is found by asking for each alone."""
        batch = [asked for asked in batch if not asked.answer.done()]  # some have left
        if not batch:
            return
        sounds = [asked.sound for asked in batch]
        within_s = self._timeout_s + _HOPELESS * sum(map(len, sounds)) / CHUNK_BYTES
        try:
            states = np.stack([asked.state for asked in batch], axis=1)
            said, states = await self._model.run(within_s, judge, sounds, states)
            for index, asked in enumerate(batch):
                if not asked.answer.done():
                    asked.answer.set_result((said[index], states[:, index]))
        except ModelGone as gone:
            for asked in batch:
                _fail(asked, HandBack(str(gone)))  # another worker may have one
        except Exception as error:  # whatever a model raises or dies of ends this, not the service
            if len(batch) > 1:
                for asked in batch:
                    await self._answer([asked])
                return
            log.error("voice activity detection failed", exc_info=error)
            _fail(batch[0], NetworkFailed(str(error)))
        finally:
            for asked in batch:
                asked.answer.cancel()  # unless it is done: nobody is left waiting


def _fail(asked: _Asked, error: Exception) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(error)


class SileroGate:
    """One stream's view of the network: chunks in order, or skipped while nobody asks.

    A stream that the network broke on is judged by its loudness from there on: it is heard all the same,
    if with noises, and does not break the network again.
    """

    def __init__(self, network: FencedNetwork) -> None:
        self._network = network
        self._instead: LevelGate | None = None
        self.reset()

    def reset(self) -> None:
        """Forgets the stream: what comes next does not follow what came before."""
        self._state: State = np.zeros((2, 128), dtype=np.float32)
        self._context = bytes(CONTEXT_BYTES)

    async def probabilities(self, chunks: Sequence[bytes]) -> list[float]:
        """Of each of the next chunks. Raises HandBack where there is no network any more."""
        if self._instead is None:
            sound = b"".join((self._context, *chunks))
            try:
                said, self._state = await self._network.judge(sound, self._state)
            except NetworkFailed:
                metrics.VAD_FAILED.inc()
                self._instead = LevelGate()
            else:
                self._context = sound[-CONTEXT_BYTES:]
                return said
        return await self._instead.probabilities(chunks)


def silero_process(path: Path) -> ModelProcess[Network]:
    """The process for the network at `path`, a file or a folder with one; not started."""
    file = path if path.is_file() else next(path.glob("*.onnx"))
    return ModelProcess("silero", partial(load, file))
