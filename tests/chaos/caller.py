"""A caller who speaks in real time, listens, and notes what is not as it should be."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.bench.playout import Playout
from tests.chaos.heard import sound_of
from tests.chaos.words import RATE, VOCABULARY, speak
from tests.chaos.worker import sentences_about

FRAME_S = 0.02
SILENCE_MS = 300
ANSWER_S = 25.0
_REFUSED_S = 15.0
_AGAIN_S = 0.2
SILENCE = bytes(2 * round(FRAME_S * RATE))
SESSION = {
    "type": "realtime",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": RATE},
            "transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": SILENCE_MS},
        },
        "output": {"format": {"type": "audio/pcm", "rate": RATE}},
    },
}


@dataclass
class Turn:
    """What was said, and what came of it."""

    words: list[str]
    spoken_at: float = 0.0
    first_sound_at: float = 0.0
    recognised: list[str] = field(default_factory=list)  # by utterance
    answers: dict[str, str] = field(default_factory=dict)  # text by response
    statuses: dict[str, list[str]] = field(default_factory=dict)  # terminal events by response
    sound: bytearray = field(default_factory=bytearray)
    errors: list[str] = field(default_factory=list)
    told: bool = False  # that the service is not available just now
    playout: Playout = field(default_factory=Playout)

    @property
    def question(self) -> str:
        return " ".join(self.words)

    @property
    def over(self) -> bool:
        return bool(self.statuses) or bool(self.errors)

    @property
    def silent_s(self) -> float:
        """Silence that was heard: before the answer, and inside it."""
        before = self.first_sound_at - self.spoken_at if self.first_sound_at else ANSWER_S
        return before + self.playout.late_s

    def hear(self, event: dict[str, Any], now: float) -> None:
        """Note an event that came at `now`, on the monotonic clock."""
        match event["type"]:
            case "conversation.item.input_audio_transcription.completed":
                self.recognised.append(event["transcript"])
            case "response.output_audio_transcript.delta":
                response = event["response_id"]
                self.answers[response] = self.answers.get(response, "") + event["delta"]
            case "response.output_audio.delta":
                sound = base64.b64decode(event["delta"])
                self.first_sound_at = self.first_sound_at or now
                self.sound += sound
                self.playout.chunk(len(sound) / 2 / RATE, now)
            case "response.done":
                response = event["response"]
                self.statuses.setdefault(response["id"], []).append(response["status"])
            case "error" if event["error"].get("code") == "bus_unavailable":
                self.told = True
            case "error":
                self.errors.append(f"error {event['error'].get('code')}: {event['error'].get('message')}")
            case _:
                pass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a fault did to one turn. `silent_s`: between question and answer, and within it."""

    words_lost: int
    sentences_doubled: int
    sentences_lost: int
    silent_s: float
    wrong: tuple[str, ...] = ()
    """Whatever was not as it should be, in words; empty for a turn without fault."""


async def judge(turn: Turn, outage: bool = False, most_silent_s: float = ANSWER_S) -> Verdict:
    """Compare what was heard with what was to be heard. `outage`: the caller may have been told of one."""
    wrong = [*turn.errors]
    if turn.silent_s > most_silent_s:
        wrong.append(f"{turn.silent_s:.1f} s of silence")
    if turn.told and not outage:
        wrong.append("told that the service is not available")
    recognised = " ".join(turn.recognised)
    lost = sum(word not in recognised.split() for word in turn.words)
    if turn.recognised != [turn.question]:
        wrong.append(f"said {turn.question!r}, recognised {turn.recognised}")
    if [len(statuses) for statuses in turn.statuses.values()] != [1]:
        wrong.append(f"terminal events: {turn.statuses}")
    elif list(turn.statuses.values()) != [["completed"]]:
        wrong.append(f"the response ended as {turn.statuses}")
    sentences = sentences_about(turn.question)
    text = " ".join(turn.answers.values())
    counts = [text.count(sentence) for sentence in sentences]
    if text.strip() != " ".join(sentences):
        wrong.append(f"answered {text!r}")
    expected = b"".join([await sound_of(text, index) for index, text in enumerate(sentences)])
    if bytes(turn.sound) != expected:
        wrong.append(
            f"{len(turn.sound) / 2 / RATE:.3f} s of sound, not the {len(expected) / 2 / RATE:.3f} s meant"
        )
    return Verdict(
        words_lost=lost,
        sentences_doubled=sum(max(0, count - 1) for count in counts),
        sentences_lost=counts.count(0),
        silent_s=turn.silent_s,
        wrong=tuple(wrong),
    )


def frames_of(words: Sequence[str]) -> list[bytes]:
    """These words as a microphone gives them: 20 ms of pcm16 at a time."""
    sound = speak(words).astype("<i2").tobytes()
    return [
        sound[at : at + len(SILENCE)].ljust(len(SILENCE), b"\0") for at in range(0, len(sound), len(SILENCE))
    ]


def append_event(frame: bytes) -> str:
    """The event that brings this sound."""
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(frame).decode()})


class Caller:
    """One call. The microphone never stops: between questions it is silent."""

    def __init__(self, socket: ClientConnection, seed: int) -> None:
        self._socket = socket
        self._random = random.Random(seed)
        self._frames: list[bytes] = []
        self._turn = Turn([])
        self._changed = asyncio.Event()
        self._updated = False

    async def ask(self, words: Sequence[str] = ()) -> Turn:
        """Say four words, listen until the answer has been played, return what was heard."""
        turn = Turn(list(words) or self._random.sample(VOCABULARY, 4))
        return await self.say(turn, frames_of(turn.words))

    async def say(self, turn: Turn, frames: Sequence[bytes], *, answer_s: float = ANSWER_S) -> Turn:
        """Say this, listen until the answer has been played; the same turn, with what was heard."""
        self._turn, self._frames = turn, list(frames)
        try:
            async with asyncio.timeout(len(frames) * FRAME_S + answer_s):
                await self._until(lambda: turn.over)
        except TimeoutError:
            turn.errors.append(f"no end of an answer within {answer_s:.0f} s")
        # As a person would; and what comes twice would come now.
        await asyncio.sleep(max(0.2, (turn.playout.ends_at or 0) - time.monotonic()))
        return turn

    async def set_up(self) -> None:
        await self._socket.send(json.dumps({"type": "session.update", "session": SESSION}))
        async with asyncio.timeout(10):
            await self._until(lambda: self._updated)

    async def _until(self, condition: Any) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def speak(self) -> None:
        """Send a frame each 20 ms, on an absolute schedule."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            frame = self._frames.pop(0) if self._frames else SILENCE
            await self._socket.send(append_event(frame))
            if frame is not SILENCE and not self._frames:
                self._turn.spoken_at = time.monotonic()
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def listen(self) -> None:
        """Note all that comes, until the connection ends."""
        try:
            async for message in self._socket:
                self._on_event(json.loads(message), time.monotonic())
                self._changed.set()
        except ConnectionClosed:
            pass  # told below
        self._turn.errors.append(f"the call was ended: {self._socket.close_code} {self._socket.close_reason}")
        self._changed.set()

    def _on_event(self, event: dict[str, Any], now: float) -> None:
        self._updated = self._updated or event["type"] == "session.updated"
        self._turn.hear(event, now)


async def connected(url: str, **more: Any) -> ClientConnection:
    """Connect; a gateway that has just lost its Redis says 503, and a client tries again.

    `more` is for `websockets.connect`.
    """
    async with asyncio.timeout(_REFUSED_S):
        while True:
            try:
                return await connect(url, compression=None, proxy=None, max_size=2**24, **more)
            except InvalidStatus as refused:
                if refused.response.status_code != 503:
                    raise
            await asyncio.sleep(_AGAIN_S)


@asynccontextmanager
async def calling(url: str, seed: int) -> AsyncIterator[Caller]:
    """A call that has been set up."""
    async with await connected(f"{url}/v1/realtime") as socket:
        caller = Caller(socket, seed)
        listening = asyncio.create_task(caller.listen())
        speaking = None
        try:
            await caller.set_up()
            speaking = asyncio.create_task(caller.speak())
            yield caller
        finally:
            for task in filter(None, (listening, speaking)):
                task.cancel()
                await asyncio.wait({task})
