"""The worker's end: starts the model's process, runs steps in it, and replaces it when it is lost.

A step is a plain function of the model: what `load` returned, and arguments. It must not change the model,
for it may be run twice. What goes wrong costs this:

- An exception in a step is raised by `run`, with the other process's traceback as a note.
- A crash ends the process, and every step that was in it. Which one it was shows when each of them is run
  again, alone: the one that crashes alone too gets ModelCrashed, the others their results.
- A step that takes longer than it may hangs: its process is killed, it gets ModelHung, and the others are run
  again. Time counts only while both processes can run: a machine that was asleep, or busy with others,
  proves nothing.
- The next process is started at once; steps wait for it. A model that is lost more than five times a minute,
  or cannot be loaded again, is given up: ModelGone for all, and `gone` tells the worker to leave.

So a piece of work that kills its model costs two processes, once, if its `run` failing is final for it: do
not have it delivered again, or it kills two of the next worker's.
"""

import asyncio
import contextlib
import pickle
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from dialtone.fence.frames import Opening, Outcome, receive, send
from dialtone.fence.metrics import MODEL_LOSSES, MODEL_READY, show_model
from dialtone.fence.patience import Patience
from dialtone.telemetry import get_logger

_LOSSES, _WINDOW_S = 5, 60.0
_RUNS = 3  # of one step, where others were at fault for the first two
log = get_logger(__name__)
M = TypeVar("M")
P = ParamSpec("P")
T = TypeVar("T")


class ModelLost(Exception):
    """The model's process was lost with this step; base of the errors below."""


class ModelCrashed(ModelLost):
    """This step crashed the process, twice."""


class ModelHung(ModelLost):
    """This step did not end in its time."""


class ModelGone(ModelLost):
    """There is no process for it any more; another worker may have one."""


class _Interrupted(Exception):
    """The process ended while a step was in it; one that is `suspect` may have crashed it."""

    def __init__(self, status: str, *, suspect: bool) -> None:
        super().__init__(status)
        self.suspect = suspect


@dataclass(slots=True)
class _Job:
    """A step to run: (function, arguments, keyword arguments), and how long it may take."""

    call: tuple[object, ...]
    within_s: float
    wanted: bool = True


class _Life:
    """One process, from its start to its end; its owner's lock guards all but the exchanges."""

    def __init__(self, threads: int) -> None:
        pairs = [socket.socketpair() for _ in range(threads)]
        theirs = [pair[1] for pair in pairs]
        self.lanes = [pair[0] for pair in pairs]
        numbers = [their.fileno() for their in theirs]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dialtone.fence.child", *map(str, numbers)],
            pass_fds=numbers,
            stdin=subprocess.DEVNULL,
        )
        for their in theirs:
            their.close()
        self.steps = 0  # in it now
        self.ended = False
        self.how = ""

    def tidy(self) -> None:
        """Close the sockets once nobody uses them."""
        if self.ended and not self.steps:
            for lane in self.lanes:
                lane.close()

    def status(self) -> str:
        """Wait for the end of a process that is ending, and say how it ended."""
        code = self.process.wait()
        return signal.Signals(-code).name if code < 0 else f"status {code}"


class ModelProcess(Generic[M]):
    """A model in a process of its own, which runs up to `threads` steps at once; `load` makes it there.

    `load` and all steps are pickled: functions of modules (not of `__main__`), methods by their class,
    `functools.partial`. May be used from several event loops.
    """

    def __init__(
        self, name: str, load: Callable[[], M], *, threads: int = 1, load_within_s: float = 300.0
    ) -> None:
        self.name = name
        self._load = load
        self._load_within_s = load_within_s
        self._count = threads
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._lanes: queue.SimpleQueue[int] = queue.SimpleQueue()
        for lane in range(threads):
            self._lanes.put(lane)
        self._changed = threading.Condition()  # guards what follows
        self._life: _Life | None = None  # the one that is ready
        self._opened: _Life | None = None  # the latest
        self._closing = False
        self._given_up = ""
        self._alone_waiting = 0
        self._alone_running = False
        self._losses: deque[float] = deque(maxlen=_LOSSES + 1)
        self._gone: Future[str] = Future()
        self._started: Future[None] = Future()
        show_model(name)

    @property
    def ready(self) -> bool:
        """Whether a step would run now; if not, a process is being loaded, or the model is given up."""
        return self._life is not None

    @property
    def pid(self) -> int:
        """The id of the process that is ready; 0 if none is."""
        life = self._life
        return life.process.pid if life else 0

    async def start(self) -> None:
        """Start the process and load the model. Raises what `load` raised, or ModelGone."""
        # The child dies with the thread that made it: this one lives as long as it is wanted.
        threading.Thread(target=self._keep, name=f"{self.name}-keeper", daemon=True).start()
        await asyncio.shield(asyncio.wrap_future(self._started))

    async def run(
        self, within_s: float, step: Callable[Concatenate[M, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return `step(model, *args, **kwargs)`; it may take `within_s` seconds from when it begins.

        One that has not begun when this is cancelled never runs. Raises what the step raises; ModelLost.
        """
        job = _Job((step, args, kwargs), within_s)
        try:
            result: T = await asyncio.get_running_loop().run_in_executor(self._threads, self._run, job)
        finally:
            job.wanted = False
        return result

    async def gone(self) -> str:
        """Wait until the model is given up; return why. Its worker cannot do its work any more."""
        return await asyncio.shield(asyncio.wrap_future(self._gone))

    def kill(self) -> None:
        """End a process that hangs, though in no step of ours; the next one is started."""
        if (life := self._life) is not None:
            self._end(life, "hung")

    async def close(self) -> None:
        """End the process. Steps in it get ModelLost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if (life := self._opened) is not None:
            self._end(life, "closed")
            await asyncio.to_thread(life.process.wait)
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)

    # --- steps, each in a thread of ours that waits for one over there

    def _run(self, job: _Job) -> Any:
        alone = False
        for _ in range(_RUNS):
            try:
                return self._run_once(job, alone)
            except _Interrupted as interrupted:
                if interrupted.suspect and alone:
                    raise ModelCrashed(f"{self.name}: {interrupted}") from None
                alone = alone or interrupted.suspect
        raise ModelLost(f"{self.name} was lost too often for this step")

    def _run_once(self, job: _Job, alone: bool) -> Any:
        with self._turn(alone) as life:
            if not job.wanted:
                raise ModelLost("nobody waits for this step any more")
            lane = self._lanes.get()
            try:
                outcome = _exchange(life.lanes[lane], job.call, Patience(life.process.pid, job.within_s))
            except TimeoutError:
                self._end(life, "hung")
                raise ModelHung(f"{self.name}: a step took more than {job.within_s:g} s") from None
            except (EOFError, OSError):
                self._end(life, "crashed")
                raise _Interrupted(life.status(), suspect=life.how == "crashed") from None
            finally:
                self._lanes.put(lane)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    @contextlib.contextmanager
    def _turn(self, alone: bool) -> Iterator[_Life]:
        """Wait for a process, and with `alone` for nobody else to be in it."""
        with self._changed:
            self._alone_waiting += alone
            while not self._may_enter(alone):
                self._changed.wait()
            self._alone_waiting -= alone
            life = self._life
            if life is None:
                raise ModelGone(f"{self.name} is gone: {self._given_up or 'closed'}")
            self._alone_running = alone
            life.steps += 1
        try:
            yield life
        finally:
            with self._changed:
                life.steps -= 1
                self._alone_running = self._alone_running and not alone
                life.tidy()
                self._changed.notify_all()

    def _may_enter(self, alone: bool) -> bool:
        if self._closing or self._given_up:
            return True  # to be told so
        if self._life is None or self._alone_running:
            return False
        return not self._life.steps if alone else not self._alone_waiting

    def _end(self, life: _Life, how: str) -> None:
        """Take no more steps into this process. The first to notice says how it ended."""
        with self._changed:
            if not life.ended:
                life.ended = True
                life.how = how
                life.process.kill()
            if self._life is life:
                self._life = None
                MODEL_READY.labels(self.name).set(0)
            life.tidy()

    # --- the process, kept by a thread of its own: a child dies with the thread that made it

    def _keep(self) -> None:
        while True:
            try:
                life = self._open()
            except Exception as error:  # noqa: BLE001 - whatever load raised
                self._give_up(error)
                return
            with self._changed:
                if not self._closing:
                    self._life = life
                    MODEL_READY.labels(self.name).set(1)
                self._changed.notify_all()
            if not self._started.done():
                self._started.set_result(None)
            life.process.wait()
            self._end(life, "crashed")
            if self._closing:
                return
            MODEL_LOSSES.labels(self.name, life.how).inc()
            log.error("a model's process was lost", model=self.name, how=life.how, status=life.status())
            self._losses.append(time.monotonic())
            if len(self._losses) > _LOSSES and self._losses[-1] - self._losses[0] < _WINDOW_S:
                self._give_up(ModelGone(f"lost {_LOSSES + 1} times within {_WINDOW_S:g} s"))
                return

    def _open(self) -> _Life:
        """Start a process and have it load."""
        life = self._opened = _Life(self._count)
        life.steps += 1  # loading, until it is ready or ended
        try:
            if self._closing:
                raise ModelGone("closed")
            patience = Patience(life.process.pid, self._load_within_s)
            outcome = _exchange(life.lanes[0], Opening(self.name, self._load), patience)
        except TimeoutError:
            self._end(life, "hung")
            raise ModelGone(f"not loaded within {self._load_within_s:g} s") from None
        except (EOFError, OSError):
            self._end(life, "crashed")
            raise ModelGone(f"crashed while loading: {life.status()}") from None
        except Exception:
            self._end(life, "not loaded")
            raise
        finally:
            with self._changed:
                life.steps -= 1
                life.tidy()
        if outcome.error is not None:
            self._end(life, "not loaded")
            raise outcome.error
        return life

    def _give_up(self, error: Exception) -> None:
        with self._changed:
            self._given_up = str(error) or type(error).__name__
            self._changed.notify_all()
        if not self._started.done():
            self._started.set_exception(error)
        elif not self._closing:
            log.error("a model is given up", model=self.name, reason=self._given_up)
            self._gone.set_result(self._given_up)


def _exchange(lane: socket.socket, frame: object, patience: Patience) -> Outcome:
    """Send a frame and return what came of it. Raises TimeoutError, EOFError, OSError."""
    lane.settimeout(patience.within_s)
    send(lane, frame)
    answered = select.poll()
    answered.register(lane, select.POLLIN)
    while not answered.poll(patience.slice_s * 1000):
        if patience.over():
            raise TimeoutError
    outcome: Outcome = pickle.loads(receive(lane))
    return outcome
