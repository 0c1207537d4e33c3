"""The engine: one model, its slots, and the thread that takes the steps.

Everything that touches the model runs in that thread, from loading on: a CUDA graph is recorded and replayed
where nothing else uses the device, and the event loop never waits for a step.

What an exception in a step leaves behind is unknown: the encoder may have taken a frame that the language
model has not, in every row, and after an error of CUDA the process can use the device no more. So no slot is
saved. All fail with EngineFailed, their legs are handed back, and the process ends for its supervisor to
start another. A step that does not end is treated alike. A row that comes to no number is that call's own,
and fails alone.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from dialtone.llm.moshi import metrics
from dialtone.llm.moshi.engine import FRAME, CannotLoad, EngineFailed, NoFreeSlot, Said
from dialtone.llm.moshi.engine_settings import MoshiEngineSettings
from dialtone.llm.moshi.pieces import TextStream
from dialtone.llm.moshi.slots import FRAME_S, EngineSlot, Gathering, fail_all
from dialtone.llm.moshi.torch_model import LoadedModel, load_model
from dialtone.telemetry import get_logger

log = get_logger(__name__)

_COMPLAINT_SECONDS = 10.0
_SLICES = 10


class TorchEngine:
    """See `engine.Engine`. `load` is for tests that need a model which fails."""

    def __init__(
        self, settings: MoshiEngineSettings, load: Callable[[MoshiEngineSettings], LoadedModel] = load_model
    ) -> None:
        self.slots = settings.moshi_slots
        self._settings = settings
        self._load = load
        self._gathering = Gathering(settings.moshi_slots, settings.moshi_ahead)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: asyncio.Future[EngineFailed] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._step_began: float | None = None
        self._hung = False
        self._complained = -_COMPLAINT_SECONDS

    @property
    def free(self) -> int:
        """See `engine.Engine`."""
        return 0 if self._failure is None or self._failure.done() else self._gathering.free

    async def start(self) -> None:
        """See `engine.Engine`."""
        self._loop = asyncio.get_running_loop()
        loaded: asyncio.Future[None] = self._loop.create_future()
        # A daemon: a step that hangs must not keep the process from ending.
        threading.Thread(target=self._run, args=(loaded,), name="moshi-steps", daemon=True).start()
        await loaded
        self._failure = self._loop.create_future()
        self._watch = asyncio.create_task(self._watch_steps())

    def open(self) -> EngineSlot:
        """See `engine.Engine`."""
        if self._failure is None:
            raise NoFreeSlot("the engine is not started")
        if self._failure.done():
            raise self._failure.result()
        return self._gathering.open()

    async def failed(self) -> EngineFailed:
        """See `engine.Engine`."""
        assert self._failure is not None, "start comes first"
        return await asyncio.shield(self._failure)

    async def close(self) -> None:
        """See `engine.Engine`."""
        if self._loop is None:
            return
        if self._watch is not None:
            self._watch.cancel()
        for slot in self._gathering.slots():
            slot.close()
        self._gathering.end()
        try:
            await asyncio.wait_for(self._ended.wait(), 0 if self._hung else self._settings.moshi_step_limit_s)
        except TimeoutError:
            log.warning("a step of Moshi has not ended; its thread is left behind")

    # --- in the thread

    def _run(self, loaded: asyncio.Future[None]) -> None:
        try:
            model = self._load(self._settings)
        except CannotLoad as error:
            self._tell(partial(_unless_done, loaded, error))
            self._tell(self._ended.set)
            return
        except BaseException as error:  # noqa: BLE001 - whoever waits for the load is told, whatever it was
            self._tell(partial(_unless_done, loaded, CannotLoad(f"Moshi cannot be loaded: {error!r}")))
            self._tell(self._ended.set)
            return
        self._tell(partial(_unless_done, loaded, None))
        try:
            self._take_steps(model)
        except BaseException as error:
            log.exception("a step of Moshi failed")
            self._tell(partial(self._fail, EngineFailed(f"a step failed: {error!r}"[:500])))
        finally:
            del model
            _give_back_memory()
            self._tell(self._ended.set)

    def _take_steps(self, loaded: LoadedModel) -> None:
        model = loaded.model
        pcm = np.zeros((model.rows, FRAME), dtype=np.float32)
        texts: dict[int, TextStream] = {}
        while (taken := self._gathering.take()) is not None:
            frames, open_slots = taken
            active = np.zeros(model.rows, dtype=np.bool_)
            joining = np.zeros(model.rows, dtype=np.bool_)
            pcm[:] = 0
            for slot, frame in frames:
                pcm[slot.row] = frame
                active[slot.row] = True
                if not slot.begun:
                    slot.begun = joining[slot.row] = True
                    texts[slot.row] = TextStream(loaded.tokenizer)
            self._step_began = began = time.monotonic()
            output = model.step(pcm, active, joining)
            self._step_began = None
            self._count(time.monotonic() - began, len(frames), open_slots)
            said: list[tuple[EngineSlot, Said | EngineFailed]] = []
            for slot, _ in frames:
                row = slot.row
                if not output.ready[row]:
                    said.append((slot, Said(None, "", None)))
                elif not np.isfinite(output.pcm[row]).all():
                    said.append((slot, EngineFailed("what the model computes for this call is no number")))
                else:
                    token = int(output.text[row])
                    padding = token in loaded.padding
                    text = "" if padding else texts[row].feed(token)
                    # A copy, since a row would hold on to the audio of all.
                    said.append((slot, Said(output.pcm[row].copy(), text, None if padding else token)))
            self._tell(partial(self._deliver, said))

    def _count(self, seconds: float, heard: int, open_slots: int) -> None:
        self._gathering.took(seconds)
        metrics.STEP_SECONDS.observe(seconds)
        metrics.FRAMES.inc(heard)
        metrics.FROZEN.inc(open_slots - heard)
        if seconds > FRAME_S:
            metrics.OVERRUNS.inc()
            if time.monotonic() - self._complained >= _COMPLAINT_SECONDS:
                self._complained = time.monotonic()
                log.warning(
                    "a step of Moshi took longer than its audio", step_ms=round(seconds * 1000), calls=heard
                )

    def _tell(self, call: Callable[[], object]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            self._gathering.end()  # the loop is closed, and with it all that could listen

    # --- in the event loop

    def _deliver(self, said: list[tuple[EngineSlot, Said | EngineFailed]]) -> None:
        for slot, what in said:
            if isinstance(what, EngineFailed):
                metrics.LOST_CALLS.inc()
                slot.end(what)
            else:
                slot.deliver(what)

    def _fail(self, why: EngineFailed) -> None:
        if self._failure is None or self._failure.done():
            return
        self._failure.set_result(why)
        slots = self._gathering.slots()
        metrics.LOST_CALLS.inc(len(slots))
        fail_all(slots, why)
        self._gathering.end()

    async def _watch_steps(self) -> None:
        # Slices count, not the clock: a process that was not let run, or a machine that slept, has seen few.
        limit_s = self._settings.moshi_step_limit_s
        watched, slices = None, 0
        while True:
            await asyncio.sleep(limit_s / _SLICES)
            began = self._step_began
            watched, slices = began, slices + 1 if began is not None and began == watched else 0
            if slices >= _SLICES:
                log.error("a step of Moshi does not end", limit_s=limit_s)
                self._hung = True
                self._fail(EngineFailed(f"a step has not ended in {limit_s:g} s"))
                return


def _give_back_memory() -> None:
    if not torch.cuda.is_initialized():
        return
    try:
        torch.cuda.empty_cache()
    except RuntimeError as error:  # the error of CUDA that ended the steps is that of every later call, too
        log.warning("the memory of the GPU is given back by the end of the process", error=str(error)[:300])


def _unless_done(loaded: asyncio.Future[None], error: CannotLoad | None) -> None:
    if loaded.done():
        return  # who waited has gone
    if error is None:
        loaded.set_result(None)
    else:
        loaded.set_exception(error)
