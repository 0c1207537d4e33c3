"""One caller: a connection to /v1/realtime that asks its questions and listens to the answers."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dialtone.local.call.recording import FRAME_MS, has_voice
from tests.bench.line import OPENING_S, CallFailed, Line
from tests.bench.manners import ANSWER_S, FIRST_SOUND_S, listen_to_the_end, pause
from tests.bench.microphone import Microphone
from tests.bench.question import RATE, Question
from tests.bench.turns import AUDIO, TurnRecorder, TurnResult
from tests.bench.wire import append_frame, pcm_of, read_event, session_update

_METRICS_S = 0.5
SILENCE = append_frame(bytes(2 * RATE * FRAME_MS // 1000))


@dataclass(frozen=True, slots=True)
class Script:
    """What every caller does. `questions` are asked in turn, each caller beginning at another."""

    url: str  # ws://host:port
    turns: int  # measured; one more is made before them
    silence_ms: int | None
    questions: Sequence[Question]
    frames: Sequence[Sequence[bytes]]  # of each question, ready to be written


class Caller:
    """Places one call. `on_talking` is called when it begins its first measured turn."""

    def __init__(
        self,
        number: int,
        script: Script,
        seed: int,
        lateness_ms: array[float],
        on_talking: Callable[[], None],
    ) -> None:
        self._number = number
        self._script = script
        self._random = random.Random(f"{seed}-{number}")
        self._lateness = lateness_ms
        self._on_talking = on_talking
        self._recorder: TurnRecorder | None = None
        self._updated = False
        self._line = Line(f"{script.url}/v1/realtime", self._on_message, {})

    @property
    def most_unsent(self) -> int:
        """Bytes that waited in the socket's write buffer, at most."""
        return self._line.most_unsent

    async def call(self) -> list[TurnResult]:
        """Make the call; every turn of the script has a result, also when the call fails."""
        results: list[TurnResult] = []
        failure = "the call ended"
        try:
            async with self._line.dialled():
                await self._converse(results)
        except CallFailed as failed:
            failure = str(failed)
        for turn in range(len(results), self._script.turns + 1):
            results.append(TurnResult(self._number, turn, "", failure=failure))
        return results

    async def _converse(self, results: list[TurnResult]) -> None:
        microphone = Microphone(self._line.write, SILENCE, self._lateness)
        try:
            await self._line.send(session_update(self._script.silence_ms, RATE, turn_metrics=True))
            if not await self._line.until(lambda: self._updated, OPENING_S):
                raise CallFailed("the session was not updated")
            microphone.start()
            await pause(self._random)
            for turn in range(self._script.turns + 1):
                if turn == 1:
                    self._on_talking()
                recorder = await self._turn(microphone, turn)
                results.append(recorder.close())
                if self._line.gone:
                    raise CallFailed(self._line.gone)
                if turn < self._script.turns:
                    await listen_to_the_end(
                        recorder.playout, self._random, failed=bool(recorder.result.failure)
                    )
        finally:
            microphone.stop()

    async def _turn(self, microphone: Microphone, turn: int) -> TurnRecorder:
        chosen = (self._number + turn) % len(self._script.questions)
        question = self._script.questions[chosen]
        recorder = self._recorder = TurnRecorder(self._number, turn, question.name)
        microphone.play(self._script.frames[chosen], recorder.spoken)
        until = self._line.until
        try:
            if not await until(lambda: recorder.heard or recorder.over, question.seconds + FIRST_SOUND_S):
                recorder.fail(f"no answer within {FIRST_SOUND_S:.0f} s")
            if not await until(lambda: recorder.over, ANSWER_S):
                recorder.fail(f"the answer did not end within {ANSWER_S:.0f} s")
            if not recorder.result.failure:
                await until(lambda: bool(recorder.result.parts), _METRICS_S)
        except CallFailed as failed:
            recorder.fail(str(failed))
        return recorder

    def _on_message(self, message: str | bytes, now: float) -> bool:
        event, recorder = read_event(message), self._recorder
        if event.type == "session.updated":
            self._updated = True
        elif recorder is None:
            return False
        elif event.type == AUDIO:
            pcm = pcm_of(event)
            loud = not recorder.heard and has_voice(pcm)
            recorder.audio(len(pcm) / 2 / RATE, now, loud=loud)
            return loud
        elif event.type == "response.output_audio_transcript.delta":
            recorder.result.answer += event.delta
            return False
        elif event.type == "dialtone.turn.metrics":
            recorder.result.parts = {k: v for k, v in (event.metrics or {}).items() if v is not None}
        elif event.type == "error":
            detail = event.error
            recorder.fail(f"error {detail.code}: {detail.message}" if detail else "error")
        else:
            recorder.event(event.type, status=event.response.status if event.response else "completed")
        return True
