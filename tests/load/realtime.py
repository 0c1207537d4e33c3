"""A call by the OpenAI Realtime protocol."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pybase64

from dialtone.local.call.recording import has_voice
from tests.bench.line import OPENING_S, CallFailed
from tests.bench.manners import ANSWER_S
from tests.bench.question import RATE, Question
from tests.bench.wire import ErrorDetail, append_frame, session_update
from tests.load.answer import Answer
from tests.load.caller import Caller


class _Response(msgspec.Struct):
    id: str = ""
    status: str = ""


class _Event(msgspec.Struct):
    """The members that a caller looks at; absent ones are empty."""

    type: str
    delta: str = ""
    response_id: str = ""
    response: _Response | None = None
    error: ErrorDetail | None = None


_read_event = msgspec.json.Decoder(_Event).decode


def frames_of(question: Question) -> Sequence[bytes]:
    """The question as a client sends it, each 20 ms ready for the wire."""
    return [append_frame(pcm) for pcm in question.frames]


class RealtimeCaller(Caller):
    """`/v1/realtime`, with PCM of 24 kHz both ways."""

    path = "/v1/realtime"
    _updated = False
    _response = ""
    """Whose audio belongs to the present answer; what an interrupted one still sends does not."""

    async def _open(self) -> None:
        await self._line.send(session_update(self._script.silence_ms, RATE))
        if not await self._line.until(lambda: self._updated, OPENING_S):
            raise CallFailed("the session was not updated")

    async def _heard_out(self, answer: Answer) -> bool:
        return await self._line.until(lambda: answer.over, ANSWER_S)

    def _forget(self) -> None:
        self._response = ""

    def _on_message(self, message: str | bytes, now: float) -> bool:
        event, answer = _read_event(message), self._answer
        match event.type:
            case "response.output_audio.delta":
                if event.response_id != self._response:
                    return False
                pcm = pybase64.b64decode(event.delta)
                loud = not answer.heard and has_voice(pcm)
                answer.audio(len(pcm) / 2 / RATE, now, loud=loud)
                return loud
            case "session.updated":
                self._updated = True
            case "input_audio_buffer.speech_started":
                self._forget()
                answer.stopped_another(now)
            case "response.created" if event.response:
                self._response = event.response.id
            case "response.done" if event.response and event.response.id == self._response:
                if event.response.status == "completed":
                    answer.end()
                else:
                    answer.fail(f"the response is {event.response.status}")
            case "error":
                detail = event.error
                answer.fail(f"error {detail.code}: {detail.message}" if detail else "error")
            case _:
                return False
        return True
