"""One caller: a connection to /v1/realtime that asks its questions and listens to the answers."""

from __future__ import annotations

import asyncio
import json
import random
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from dialtone.local.call.recording import FRAME_MS, has_voice
from tests.bench.microphone import Microphone
from tests.bench.question import RATE, Question
from tests.bench.turns import AUDIO, TurnRecorder, TurnResult
from tests.bench.wire import ServerEvent, append_frame, pcm_of, read_event

FIRST_SOUND_S = 10.0
"""A turn without an answer this long after its question has failed."""
ANSWER_S = 60.0
OPENING_S = 20.0
_METRICS_S = 0.5
_SETTLE_S = 2.0  # after a turn that failed, so that what is left of it does not fall into the next
_PAUSE_S = (0.3, 0.9)  # that a caller makes before the next question
_MAX_MESSAGE = 16 * 2**20
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
        self._changed = asyncio.Event()
        self._updated = False
        self._gone = ""
        self.most_unsent = 0
        """Bytes that waited in the socket's write buffer, at most."""

    async def call(self) -> list[TurnResult]:
        """Make the call; every turn of the script has a result, also when the call fails."""
        results: list[TurnResult] = []
        try:
            async with connect(
                f"{self._script.url}/v1/realtime",
                compression=None,
                max_size=_MAX_MESSAGE,
                open_timeout=OPENING_S,
                proxy=None,
            ) as socket:
                await self._converse(socket, results)
        except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
            self._gone = self._gone or f"{type(error).__name__}: {error}"
        for turn in range(len(results), self._script.turns + 1):
            results.append(TurnResult(self._number, turn, "", failure=self._gone or "the call ended"))
        return results

    async def _converse(self, socket: ClientConnection, results: list[TurnResult]) -> None:
        listening = asyncio.create_task(self._listen(socket))
        microphone = Microphone(self._writer(socket), SILENCE, self._lateness)
        try:
            await socket.send(json.dumps({"type": "session.update", "session": self._session()}))
            await self._until(lambda: self._updated, OPENING_S)
            microphone.start()
            await asyncio.sleep(self._random.uniform(*_PAUSE_S))
            for turn in range(self._script.turns + 1):
                if turn == 1:
                    self._on_talking()
                results.append(await self._turn(microphone, turn))
                if self._gone:
                    return
                if turn < self._script.turns:
                    await self._listen_to_the_end()
        finally:
            microphone.stop()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def _session(self) -> dict[str, Any]:
        detection: dict[str, Any] = {"type": "server_vad"}
        if self._script.silence_ms is not None:
            detection["silence_duration_ms"] = self._script.silence_ms
        pcm = {"type": "audio/pcm", "rate": RATE}
        audio = {"input": {"format": pcm, "turn_detection": detection}, "output": {"format": pcm}}
        return {"type": "realtime", "audio": audio, "dialtone": {"turn_metrics": True}}

    def _writer(self, socket: ClientConnection) -> Callable[[bytes], None]:
        transport = socket.transport

        def write(frame: bytes) -> None:
            if transport.is_closing():
                return
            transport.write(frame)
            self.most_unsent = max(self.most_unsent, transport.get_write_buffer_size())

        return write

    async def _turn(self, microphone: Microphone, turn: int) -> TurnResult:
        chosen = (self._number + turn) % len(self._script.questions)
        question = self._script.questions[chosen]
        recorder = self._recorder = TurnRecorder(self._number, turn, question.name)
        microphone.play(self._script.frames[chosen], recorder.spoken)
        if not await self._until(lambda: recorder.heard or recorder.over, question.seconds + FIRST_SOUND_S):
            recorder.fail(f"no answer within {FIRST_SOUND_S:.0f} s")
        if not await self._until(lambda: recorder.over, ANSWER_S):
            recorder.fail(f"the answer did not end within {ANSWER_S:.0f} s")
        if not recorder.result.failure:
            await self._until(lambda: bool(recorder.result.parts), _METRICS_S)
        if self._gone:
            recorder.fail(self._gone)
        return recorder.close()

    async def _listen_to_the_end(self) -> None:
        """As a person would, before asking on."""
        recorder = self._recorder
        assert recorder is not None
        wait = self._random.uniform(*_PAUSE_S)
        if recorder.playout.ends_at is not None:
            wait += max(0.0, recorder.playout.ends_at - time.monotonic())
        await asyncio.sleep(wait + (_SETTLE_S if recorder.result.failure else 0.0))

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not condition() and not self._gone:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return condition()

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            while True:
                message = await socket.recv()
                self._on_event(read_event(message), time.monotonic())
        except ConnectionClosed as closed:
            self._gone = f"the connection was closed: {closed}"
            self._changed.set()

    def _on_event(self, event: ServerEvent, now: float) -> None:
        recorder = self._recorder
        if event.type == "session.updated":
            self._updated = True
        elif recorder is None:
            return
        elif event.type == AUDIO:
            pcm = pcm_of(event)
            loud = not recorder.heard and has_voice(pcm)
            recorder.audio(len(pcm) / 2 / RATE, now, loud=loud)
            if not loud:
                return  # nobody waits for it
        elif event.type == "response.output_audio_transcript.delta":
            recorder.result.answer += event.delta
            return
        elif event.type == "dialtone.turn.metrics":
            recorder.result.parts = {k: v for k, v in (event.metrics or {}).items() if v is not None}
        elif event.type == "error":
            detail = event.error
            recorder.fail(f"error {detail.code}: {detail.message}" if detail else "error")
        else:
            recorder.event(event.type, status=event.response.status if event.response else "completed")
        self._changed.set()
