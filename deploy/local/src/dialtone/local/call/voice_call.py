"""A call by the voice_call protocol: a session made over REST, JSON frames up, binary audio down.

The protocol does not say when an answer is over, nor what was understood. So a turn counts as answered when
what came has been played and nothing came for a while.
"""

import asyncio
import base64
import io
import json
import time
import wave
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidHandshake

from dialtone.local.call.microphone import Microphone
from dialtone.local.call.recording import Recording, has_voice
from dialtone.local.call.report import Transcript
from dialtone.local.call.settings import CallSettings
from dialtone.local.call.turn import CallFailed, Turn

INPUT_RATE = 16_000
OUTPUT_RATE = 24_000
MAX_MESSAGE = 16 * 2**20
QUIET_S = 2.0
"""An answer is over when it has been played and nothing more came for this long."""


class VoiceCall:
    """One connection. `hold` plays the questions one after the other, each when the last answer was heard."""

    def __init__(self, settings: CallSettings, transcript: Transcript) -> None:
        self._settings = settings
        self._transcript = transcript
        self._turn = Turn(0, OUTPUT_RATE)
        self._last_message = 0.0
        self._closing = False
        self._ended = asyncio.Event()
        self._failure = ""

    async def hold(self, url: str, questions: Sequence[Recording]) -> list[Turn]:
        """Call the gateway at `url` (http or https) and return the turns. Raises CallFailed."""
        key = self._settings.api_key.get_secret_value()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        session_id = await self._create_session(url, headers)
        address = f"ws{url.removeprefix('http')}/chat/voice_call"
        try:
            async with connect(
                address, additional_headers=headers, compression=None, max_size=MAX_MESSAGE, proxy=None
            ) as socket:
                return await self._converse(socket, session_id, questions)
        except (OSError, InvalidHandshake) as failure:
            raise CallFailed(f"{address}: {failure}") from failure
        except ConnectionClosed as closed:
            raise CallFailed(f"the gateway ended the call: {closed}") from closed

    async def _create_session(self, url: str, headers: dict[str, str]) -> str:
        try:
            async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
                answer = await client.post("/v1/sessions", json=self._session())
        except httpx.HTTPError as failure:
            raise CallFailed(f"{url}/v1/sessions: {failure}") from failure
        if not answer.is_success:
            raise CallFailed(f"{url}/v1/sessions answered {answer.status_code}: {answer.text[:500]}")
        return str(answer.json()["id"])

    def _session(self) -> dict[str, Any]:
        settings = self._settings
        session: dict[str, Any] = {
            "audio": {"input_rate": INPUT_RATE, "output": {"rate": OUTPUT_RATE}},
        }
        if settings.language:
            session["transcription"] = {"language": settings.language}
        if settings.silence_ms is not None:
            session["turn_detection"] = {"silence_duration_ms": settings.silence_ms}
        if settings.model:
            session["llm"] = {"model": settings.model}
        if settings.voice:
            session["tts"] = {"voice": settings.voice}
        if settings.instructions:
            session["instructions"] = settings.instructions
        return session

    async def _converse(
        self, socket: ClientConnection, session_id: str, questions: Sequence[Recording]
    ) -> list[Turn]:
        meta = {"session_id": session_id, "encoding": "raw"}

        async def send(frame: bytes, *, close: bool = False) -> None:
            audio = base64.b64encode(frame).decode()
            await socket.send(json.dumps({"audio": audio, "meta_info": meta, "is_close": close}))

        listening = asyncio.create_task(self._listen(socket))
        microphone = Microphone(send, INPUT_RATE)
        recording = asyncio.create_task(microphone.run())
        turns: list[Turn] = []
        try:
            for number, question in enumerate(questions, 1):
                self._turn = turn = Turn(number, OUTPUT_RATE)
                turns.append(turn)
                playing = microphone.play(question)
                await playing.finished.wait()
                turn.voice_end = playing.voice_end
                if not await self._answered(turn):
                    break
            recording.cancel()
            if not self._ended.is_set():
                self._closing = True
                await send(b"", close=True)
                await self._wait_for_end(turns[-1])
                self._transcript.end_turn()
        finally:
            for task in (recording, listening):
                task.cancel()
                with suppress(asyncio.CancelledError, ConnectionClosed):
                    await task
        return turns

    async def _answered(self, turn: Turn) -> bool:
        """Wait until the answer was played; note an error in the turn and return False when none comes."""
        deadline = time.perf_counter() + self._settings.answer_timeout_s
        while time.perf_counter() < deadline and not self._ended.is_set():
            if turn.first_sound is not None:
                played = turn.first_sound + len(turn.pcm) / 2 / turn.rate
                if time.perf_counter() > max(played, self._last_message + QUIET_S):
                    self._transcript.end_turn()
                    return True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 0.05)
        turn.errors.append(self._failure or "no answer came in time")
        return False

    async def _wait_for_end(self, turn: Turn) -> None:
        try:
            await asyncio.wait_for(self._ended.wait(), self._settings.answer_timeout_s)
        except TimeoutError:
            turn.errors.append("the gateway did not end the call")

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            while True:
                message = await socket.recv()
                self._last_message = time.perf_counter()
                if isinstance(message, bytes):
                    self._on_audio(message, self._last_message)
                else:
                    self._on_text(json.loads(message))
        except ConnectionClosedOK:
            if not self._closing:
                self._failure = "the gateway ended the call"
        except ConnectionClosed as closed:
            self._failure = f"the gateway ended the call: {closed}"
        finally:
            self._ended.set()

    def _on_audio(self, message: bytes, arrived: float) -> None:
        if message.startswith(b"RIFF"):
            with wave.open(io.BytesIO(message)) as container:
                self._turn.rate = container.getframerate()
                message = container.readframes(container.getnframes())
        if self._turn.first_sound is None and has_voice(message):
            self._turn.first_sound = arrived
        self._turn.pcm += message

    def _on_text(self, event: dict[str, Any]) -> None:
        if event.get("type") == "error":
            self._turn.errors.append(f"{event.get('code')}: {event.get('msg')}")
            self._transcript.note(f"error {self._turn.errors[-1]}", "red")
        elif event.get("type") == "text":
            self._turn.answer += event["msg"]
            self._transcript.assistant(event["msg"] + " ")
