"""Has passages recognised, a few at once, the urgent ones first.

What waits is bounded: a full queue gives up a partial or a candidate for a final, and refuses a final when
only finals wait. Passages of one urgency that wait together are recognised in one batch: four short ones
cost a CPU 40 % less than one by one, and a GPU little more than one. A batch that the model was lost with is
taken apart, for only one of its passages is to blame.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from enum import IntEnum

from dialtone.bus import HandBack
from dialtone.fence import ModelGone, ModelLost
from dialtone.telemetry import get_logger
from dialtone.vad_asr import metrics
from dialtone.vad_asr.asr.recognition import Passage, Recognition, Recognize

log = get_logger(__name__)

_BATCH_LENGTH_RATIO = 1.5  # a batch is padded to its longest passage


class Urgency(IntEnum):
    """Who goes first: a caller who waits for an answer, before guesses, before what is only shown.

    What is followed is asked of backends that can end turns alone: what was said so far, and is that all?
    """

    FINAL = 0
    CANDIDATE = 1
    PARTIAL = 2
    FOLLOWED = 3


class PoolOverloaded(Exception):
    """Too much speech waits to be recognised."""


class RecognitionFailed(Exception):
    """A recogniser failed on this passage; others are not affected. `code` is one of an Error."""

    def __init__(self, message: str, code: str = "recognition_failed") -> None:
        super().__init__(message)
        self.code = code


class RecognitionLost(RecognitionFailed):
    """Nobody is to be asked about this passage again: the model crashed on it or hung, or it was refused."""


class Job:
    """A passage that waits or is being recognised."""

    def __init__(self, passage: Passage, urgency: Urgency) -> None:
        self.passage = passage
        self.urgency = urgency
        self.submitted = time.monotonic()
        self.alone = False  # the model was lost with the batch that it was in
        self.answer: asyncio.Future[Recognition] = asyncio.get_running_loop().create_future()
        # A job that is evicted after its asker went away has nobody to tell.
        self.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())


class InferencePool:
    """`submit` from the event loop that `start` ran on. `workers` batches are recognised at once."""

    def __init__(
        self,
        recognize: Recognize,
        *,
        workers: int,
        queue_limit: int,
        batch_size: int = 1,
        max_wait_s: float = 10.0,
    ) -> None:
        self._recognize = recognize
        self._workers = workers
        self._queue_limit = queue_limit
        self._batch_size = batch_size
        self._max_wait_s = max_wait_s
        self._queues: dict[Urgency, deque[Job]] = {urgency: deque() for urgency in Urgency}
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._busy = 0

    def start(self) -> None:
        """Starts the workers."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._workers)]

    async def close(self) -> None:
        """Ends the workers; what still waits is cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for queue in self._queues.values():
            for job in queue:
                job.answer.cancel()
            queue.clear()

    @property
    def waiting(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    @property
    def idle(self) -> bool:
        """The model is free and nothing waits: work that nobody needs may be done."""
        return self._busy < self._workers and not self.waiting

    def submit(self, passage: Passage, urgency: Urgency) -> Job:
        """Queues a passage; the answer comes as `job.answer`. Raises PoolOverloaded.

        The answer raises PoolOverloaded or RecognitionFailed; HandBack where there is no model any more.
        """
        if self.waiting >= self._queue_limit:
            self._make_room(urgency)
        job = Job(passage, urgency)
        self._queues[urgency].append(job)
        metrics.ASR_WAITING.set(self.waiting)
        self._wake.set()
        return job

    def promote(self, job: Job) -> None:
        """Makes a guess that came true as urgent as a final."""
        if job in self._queues[job.urgency]:
            self._queues[job.urgency].remove(job)
            self._queues[Urgency.FINAL].append(job)
        job.urgency = Urgency.FINAL

    def cancel(self, job: Job) -> None:
        """Drops a job that nobody waits for; one that is in the model already runs to its end."""
        if job in self._queues[job.urgency]:
            self._queues[job.urgency].remove(job)
        job.answer.cancel()

    def _make_room(self, urgency: Urgency) -> None:
        for victim in (Urgency.PARTIAL, Urgency.CANDIDATE):
            if victim > urgency and self._queues[victim]:
                job = self._queues[victim].pop()
                _fail(job, PoolOverloaded("given up for more urgent speech"))
                return
        metrics.ASR_REFUSED.labels(urgency.name.lower()).inc()
        raise PoolOverloaded(f"{self.waiting} passages wait to be recognised")

    async def _work(self) -> None:
        while True:
            while not self.waiting:
                self._wake.clear()
                await self._wake.wait()
            batch = self._take()
            if batch:
                await self._work_on(batch)

    def _take(self) -> list[Job]:
        """The most urgent jobs that fit into one batch, oldest first; jobs that waited too long fail.

        Less urgent ones are not added to a batch that would be quicker without them.
        """
        batch: list[Job] = []
        for queue in self._queues.values():
            passed_over: list[Job] = []
            while queue and len(batch) < self._batch_size:
                job = queue.popleft()
                if job.answer.done():
                    continue
                if time.monotonic() - job.submitted > self._max_wait_s:
                    job.answer.set_exception(PoolOverloaded("waited too long to be recognised"))
                elif batch and not _go_together(batch[0], job):
                    passed_over.append(job)
                else:
                    batch.append(job)
            queue.extendleft(reversed(passed_over))
            if batch:
                break
        metrics.ASR_WAITING.set(self.waiting)
        return batch

    async def _work_on(self, batch: Sequence[Job]) -> None:
        self._busy += 1
        try:
            answers = await self._recognize([job.passage for job in batch])
        except ModelGone as gone:
            for job in batch:
                _fail(job, HandBack(str(gone)))  # another worker may have a model
            return
        except ModelLost as lost:
            self._lost(batch, lost)
            return
        except Exception as error:  # whatever a model raises ends this batch, not the service
            log.error("recognition failed", exc_info=error)
            metrics.ASR_FAILED.inc(len(batch))
            for job in batch:
                _fail(job, RecognitionFailed("The recogniser failed on this."))
            return
        finally:
            self._busy -= 1
        for job, answer in zip(batch, answers, strict=True):
            metrics.ASR_SECONDS.labels(job.urgency.name.lower()).observe(answer.compute_us / 1e6)
            if not job.answer.done():
                job.answer.set_result(answer)

    def _lost(self, batch: Sequence[Job], lost: ModelLost) -> None:
        log.error("the recogniser was lost", passages=len(batch), reason=str(lost))
        if len(batch) == 1:
            metrics.ASR_FAILED.inc()
            _fail(batch[0], RecognitionLost("The recogniser broke down on this."))
            return
        for job in reversed(batch):
            job.alone = True
            job.submitted = time.monotonic()  # that it waited is not because there is too much to do
            self._queues[job.urgency].appendleft(job)
        self._wake.set()


def _fail(job: Job, error: Exception) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)


def _go_together(first: Job, other: Job) -> bool:
    return not (first.alone or other.alone) and _alike(first.passage, other.passage)


def _alike(first: Passage, other: Passage) -> bool:
    short, long = sorted((first.seconds, other.seconds))
    return long <= max(short * _BATCH_LENGTH_RATIO, 3.0)
