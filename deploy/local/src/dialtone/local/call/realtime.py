"""A call by the OpenAI Realtime GA protocol with server VAD."""

import asyncio
import base64
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from dialtone.local.call.microphone import Microphone
from dialtone.local.call.recording import Recording, has_voice
from dialtone.local.call.report import Transcript
from dialtone.local.call.settings import CallSettings
from dialtone.local.call.turn import CallFailed, Turn

RATE = 24_000
MAX_MESSAGE = 16 * 2**20
METRICS_WAIT_S = 2.0
"""How long to wait for the gateway's account of a turn after its answer is complete."""

Event = dict[str, Any]


class RealtimeCall:
    """One connection. `hold` plays the questions one after the other, each when the last answer was heard."""

    def __init__(self, settings: CallSettings, transcript: Transcript) -> None:
        self._settings = settings
        self._transcript = transcript
        self._changed = asyncio.Event()
        self._turn = Turn(0, RATE)
        self._updated = False
        self._speaking = False
        self._awaited = ""  # the response that answers the newest committed speech
        self._committed = False
        self._done: set[str] = set()
        self._ended: str | None = None
        self._handlers: dict[str, Callable[[Event], None]] = {
            "session.updated": self._on_updated,
            "error": self._on_error,
            "input_audio_buffer.speech_started": self._on_speech_started,
            "input_audio_buffer.speech_stopped": self._on_speech_stopped,
            "input_audio_buffer.committed": self._on_committed,
            "dialtone.transcription.partial": self._on_partial,
            "conversation.item.input_audio_transcription.completed": self._on_heard,
            "conversation.item.input_audio_transcription.failed": self._on_not_heard,
            "response.created": self._on_response,
            "response.output_audio_transcript.delta": self._on_text,
            "response.output_text.delta": self._on_text,
            "response.done": self._on_response_done,
            "dialtone.turn.metrics": self._on_metrics,
        }

    async def hold(self, url: str, questions: Sequence[Recording]) -> list[Turn]:
        """Call the gateway at `url` (http or https) and return the turns. Raises CallFailed."""
        key = self._settings.api_key.get_secret_value()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        model = f"?model={self._settings.model}" if self._settings.model else ""
        address = f"ws{url.removeprefix('http')}/v1/realtime{model}"
        try:
            async with connect(
                address, additional_headers=headers, compression=None, max_size=MAX_MESSAGE, proxy=None
            ) as socket:
                return await self._converse(socket, questions)
        except (OSError, InvalidHandshake) as failure:
            raise CallFailed(f"{address}: {failure}") from failure
        except ConnectionClosed as closed:
            raise CallFailed(f"the gateway ended the call: {closed}") from closed

    async def _converse(self, socket: ClientConnection, questions: Sequence[Recording]) -> list[Turn]:
        listening = asyncio.create_task(self._listen(socket))
        await socket.send(json.dumps({"type": "session.update", "session": self._session()}))
        await self._until(lambda: self._updated, 10.0, "the session was not accepted")

        async def send(frame: bytes) -> None:
            audio = base64.b64encode(frame).decode()
            await socket.send('{"type":"input_audio_buffer.append","audio":"' + audio + '"}')

        microphone = Microphone(send, RATE)
        recording = asyncio.create_task(microphone.run())
        try:
            return [await self._ask(microphone, n, question) for n, question in enumerate(questions, 1)]
        finally:
            for task in (recording, listening):
                task.cancel()
                with suppress(asyncio.CancelledError, ConnectionClosed):
                    await task

    async def _ask(self, microphone: Microphone, number: int, question: Recording) -> Turn:
        self._turn = turn = Turn(number, RATE)
        self._awaited, self._committed = "", False
        playing = microphone.play(question)
        await playing.finished.wait()
        turn.voice_end = playing.voice_end

        def answered() -> bool:
            return self._committed and not self._speaking and self._awaited in self._done

        try:
            await self._until(answered, self._settings.answer_timeout_s, "no answer came")
        except CallFailed as failure:
            turn.errors.append(str(failure))
            self._transcript.end_turn()
            return turn
        with suppress(CallFailed):  # another server than ours may not send them
            await self._until(lambda: bool(turn.parts), METRICS_WAIT_S, "no metrics")
        self._transcript.end_turn()
        if turn.first_sound is not None:  # a person would listen to the end before the next question
            heard_until = turn.first_sound + len(turn.pcm) / 2 / RATE
            await asyncio.sleep(
                max(0.0, heard_until - time.perf_counter()) if number < self._settings.turns else 0
            )
        return turn

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            while True:
                message = await socket.recv()
                arrived = time.perf_counter()
                event: Event = json.loads(message)
                if event["type"] == "response.output_audio.delta":
                    self._on_audio(event, arrived)
                elif handler := self._handlers.get(event["type"]):
                    handler(event)
                self._changed.set()
        except ConnectionClosed as closed:
            self._ended = f"the gateway ended the call: {closed}"
            self._changed.set()

    async def _until(self, condition: Callable[[], bool], seconds: float, complaint: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    if self._ended:
                        raise CallFailed(self._ended)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise CallFailed(f"{complaint} within {seconds:.0f} s") from None

    def _session(self) -> dict[str, Any]:
        settings = self._settings
        detection: dict[str, Any] = {"type": "server_vad"}
        if settings.silence_ms is not None:
            detection["silence_duration_ms"] = settings.silence_ms
        audio_format = {"type": "audio/pcm", "rate": RATE}
        transcription = {"model": "whisper-1"}
        if settings.language:
            transcription["language"] = settings.language
        output: dict[str, Any] = {"format": audio_format}
        if settings.voice:
            output["voice"] = settings.voice
        session: dict[str, Any] = {
            "type": "realtime",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": audio_format,
                    "transcription": transcription,
                    "turn_detection": detection,
                },
                "output": output,
            },
            "dialtone": {"turn_metrics": True, "partial_transcripts": True},
        }
        if settings.instructions:
            session["instructions"] = settings.instructions
        return session

    def _on_updated(self, _event: Event) -> None:
        self._updated = True

    def _on_error(self, event: Event) -> None:
        message = event["error"].get("message") or str(event["error"])
        self._turn.errors.append(message)
        self._transcript.note(f"error: {message}", "red")
        if not self._updated:
            self._ended = message

    def _on_speech_started(self, _event: Event) -> None:
        self._speaking = True

    def _on_speech_stopped(self, _event: Event) -> None:
        self._speaking = False

    def _on_committed(self, _event: Event) -> None:
        self._committed = True
        # Moshi answers when it likes, often before its caller's silence is long enough to be a turn's end.
        if self._settings.model.partition("-")[0] != "moshi":
            self._awaited = ""

    def _on_partial(self, event: Event) -> None:
        self._transcript.partial(event["transcript"])

    def _on_heard(self, event: Event) -> None:
        self._turn.heard = f"{self._turn.heard} {event['transcript']}".strip()
        self._transcript.user(event["transcript"])

    def _on_not_heard(self, event: Event) -> None:
        self._transcript.note(f"not understood: {event['error'].get('message')}", "red")

    def _on_response(self, event: Event) -> None:
        self._awaited = event["response"]["id"]
        self._turn.first_sound, self._turn.answer = None, ""
        self._turn.pcm.clear()
        self._turn.parts.clear()

    def _on_text(self, event: Event) -> None:
        self._turn.answer += event["delta"]
        self._transcript.assistant(event["delta"])

    def _on_audio(self, event: Event, arrived: float) -> None:
        if event["response_id"] != self._awaited:
            return
        pcm = base64.b64decode(event["delta"])
        if self._turn.first_sound is None and has_voice(pcm):
            self._turn.first_sound = arrived
        self._turn.pcm += pcm

    def _on_response_done(self, event: Event) -> None:
        response = event["response"]
        self._done.add(response["id"])
        if response["status"] not in ("completed", "cancelled"):
            details = response.get("status_details") or {}
            reason = (details.get("error") or {}).get("message") or details.get("reason") or ""
            self._turn.errors.append(f"the answer ended as {response['status']}: {reason}")
            self._transcript.note(self._turn.errors[-1], "red")

    def _on_metrics(self, event: Event) -> None:
        if event["response_id"] == self._awaited:
            known = {name: value for name, value in event["metrics"].items() if value is not None}
            self._turn.parts.update(known)
        for notice in event.get("notices", ()):
            self._transcript.note(notice)
