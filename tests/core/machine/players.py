"""Workers of every stage, good and bad, for whatever a call submits."""

from __future__ import annotations

from dialtone.gateway.core import effects as do
from dialtone.v1.speech_pb2 import AudioChunk, SentenceDone
from dialtone.v1.work_pb2 import Work
from tests.core.harness import Worker

from .watched_rig import WatchedRig

BODIES = {"asr": "ears", "llm": "turn", "tts": "sentence", "moshi": "moshi"}


class Players:
    """All attempts at all work. `which` counts back from the newest; a high one means an attempt that has
    lost its lease."""

    def __init__(self, rig: WatchedRig) -> None:
        self.rig = rig
        self.workers: list[Worker] = []
        self.utterance = 0
        self._claimed: dict[str, int] = {}  # the highest attempt of a lease
        self._spoken_ms: dict[str, int] = {}  # audio made, by lease

    # --- leases

    def submitted(self) -> dict[str, Work]:
        """The work on offer by lease, as it was put on its queue last."""
        return {e.work.lease_id: e.work for e in self.rig.effects if isinstance(e, do.Submit)}

    def claim(self, which: int, attempt: int) -> None:
        """Ask for any piece of work, also for one that somebody has, with any attempt."""
        works = list(self.submitted().values())
        if works:
            self._claim(works[-1 - which % len(works)], attempt)

    def claim_all(self, stages: str = "asr recording llm tts moshi") -> None:
        """Take all that nobody has."""
        for work in self.submitted().values():
            wanted = work.WhichOneof("body") in [BODIES.get(stage, stage) for stage in stages.split()]
            if wanted and self._claimed.get(work.lease_id, -1) < work.attempt_base:
                self._claim(work, 0)

    def _claim(self, work: Work, attempt: int) -> None:
        number = max(0, work.attempt_base + attempt)
        self._claimed[work.lease_id] = max(number, self._claimed.get(work.lease_id, -1))
        self.workers.append(self.rig.claim(work, number))

    def _lives(self, worker: Worker) -> bool:
        lease = self.rig.call._ctx.leases.get(worker.work.lease_id)
        return lease is not None and lease.held and lease.attempt == worker.attempt

    def of(self, stage: str, which: int = 0) -> Worker | None:
        """Somebody at this stage, or with this kind of work; the living first."""
        body = BODIES.get(stage, stage)
        known = [worker for worker in self.workers if worker.work.WhichOneof("body") == body]
        living = [worker for worker in known if self._lives(worker)]
        choice = known if which > 3 else living
        return choice[-1 - which % len(choice)] if choice else None

    def anyone(self, which: int) -> Worker | None:
        living = [worker for worker in self.workers if self._lives(worker)]
        choice = self.workers if which > 3 else living
        return choice[-1 - which % len(choice)] if choice else None

    # --- what some say

    def makes_sound(self, worker: Worker, ms: int) -> None:
        lease = worker.work.lease_id
        start = self._spoken_ms.get(lease, 0)
        self._spoken_ms[lease] = start + ms
        audio = bytes(2 * ms)
        worker.say(audio=AudioChunk(audio=audio, start_us=start * 1000, duration_us=ms * 1000))

    def ends_sentence(self, worker: Worker, notice: str) -> None:
        worker.say(sentence_done=SentenceDone(notice=notice))

    def speech_starts(self, worker: Worker, back_ms: int) -> None:
        """A new utterance, begun somewhere near the end of what was sent."""
        self.utterance = self.rig.call._turns.next_number
        worker.started(self.utterance, max(0, self.input_ms - back_ms))

    @property
    def input_ms(self) -> int:
        return self.rig.call._ears.input_us // 1000

    # --- whole jobs

    def voice_turn(self, worker: Worker, text: str) -> None:
        """The user says something; its candidate, its end and its words come."""
        self.speech_starts(worker, 0)
        number = self.utterance
        self.rig.speak(200)
        worker.candidate(number, text)
        self.rig.speak(100)
        worker.stopped(number, self.input_ms)
        worker.final(number, text)

    def finish_all(self) -> None:
        """Every model and every voice that has something to do does it to its end."""
        for _ in range(3):
            self.claim_all("llm tts")
            for worker in list(self.workers):
                if not self._lives(worker):
                    continue
                if worker.work.WhichOneof("body") == "turn":
                    worker.text("It is three. ")
                    worker.text("Not four.")
                    worker.done()
                elif worker.work.WhichOneof("body") == "sentence":
                    self.makes_sound(worker, 400)
                    self.ends_sentence(worker, "")
