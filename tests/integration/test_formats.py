"""Whole calls in every format: what goes in is heard, what comes out is as long as what was said."""

from __future__ import annotations

import asyncio
import base64
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect

from dialtone.audio import AudioDecoder, AudioEncoder, Pcm16, pcm16_to_float
from dialtone.local.call.recording import Recording
from dialtone.local.state import StackState
from dialtone.tts.engines.simulated import CHARACTER_S
from tests.fixtures.client_formats import FORMATS

WIRE: dict[str, dict[str, Any]] = {
    "pcm": {"type": "audio/pcm", "rate": 24_000},
    "pcmu": {"type": "audio/pcmu"},
    "pcma": {"type": "audio/pcma"},
}
TURNS = 20


class Client:
    """A socket of the Realtime protocol and what came on it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.events: list[dict[str, Any]] = []

    async def send(self, kind: str, **members: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **members}))

    async def until(self, kind: str, number: int = 1) -> dict[str, Any]:
        """The event of this kind after which there are so many of them."""
        async with asyncio.timeout(60):
            while len(found := self.of(kind)) < number:
                event = json.loads(await self._socket.recv())
                assert event["type"] != "error", event
                self.events.append(event)
        return found[-1]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def configure(self, **audio: Any) -> None:
        kind = "transcription" if "output" not in audio else "realtime"
        await self.send("session.update", session={"type": kind, "audio": audio})
        await self.until("session.updated")

    async def say(self, recording: Recording, name: str) -> None:
        """All of it at once, and a second of silence."""
        encoder = AudioEncoder(recording.rate, FORMATS[name])
        samples = np.concatenate([recording.samples, np.zeros(recording.rate, dtype=np.int16)])
        data = encoder.feed(pcm16_to_float(samples)) + encoder.flush()
        await self.send("input_audio_buffer.append", audio=base64.b64encode(data).decode())

    def audio(self, name: str) -> Pcm16:
        """What was said, at the format's own rate."""
        deltas = self.of("response.output_audio.delta")
        data = b"".join(base64.b64decode(delta["delta"]) for delta in deltas)
        return AudioDecoder(FORMATS[name], FORMATS[name].sample_rate).feed(data)


def realtime(stack: StackState, query: str = "model=default") -> connect:
    address = f"{stack.url.replace('http', 'ws', 1)}/v1/realtime?{query}"
    return connect(address, compression=None, max_size=None)


def assert_is_the_answer(client: Client, name: str) -> None:
    """The simulated voice is a tone of 200 Hz, 60 ms a character."""
    transcript = client.of("response.output_audio_transcript.done")[-1]["transcript"]
    samples, rate = client.audio(name), FORMATS[name].sample_rate
    characters = sum(len(f"{sentence}.") for sentence in transcript.rstrip(".").split(". "))
    assert len(samples) / rate == pytest.approx(characters * CHARACTER_S, rel=0.03)
    second = samples[rate : 2 * rate].astype(np.float64)
    assert int(np.argmax(np.abs(np.fft.rfft(second)))) == 200
    # A hole or a piece out of its place would show as a period that is not like the one before.
    period = rate // 200
    cycles = samples[period * 8 : len(samples) // period * period].reshape(-1, period).astype(np.int32)
    likeness = [float(np.corrcoef(a, b)[0, 1]) for a, b in pairwise(cycles)]
    assert np.mean(np.array(likeness) > 0.9) > 0.98


async def test_three_formats_in_and_three_formats_out(stack: StackState, question: Recording) -> None:
    async def call(spoken: str, answered: str) -> None:
        async with realtime(stack) as socket:
            client = Client(socket)
            await client.configure(input={"format": WIRE[spoken]}, output={"format": WIRE[answered]})
            await client.say(question, spoken)
            response = (await client.until("response.done"))["response"]
            assert response["status"] == "completed"
            assert response["audio"]["output"]["format"] == WIRE[answered]
            stopped = client.of("input_audio_buffer.speech_stopped")[0]
            assert stopped["audio_end_ms"] == pytest.approx(question.seconds * 1000 + 500, abs=300)
            assert_is_the_answer(client, answered)

    await asyncio.gather(*(call(spoken, answered) for spoken in WIRE for answered in WIRE))


@pytest.mark.parametrize("name", WIRE)
async def test_a_response_may_ask_for_a_format_of_its_own(stack: StackState, name: str) -> None:
    session = "pcmu" if name == "pcm" else "pcm"
    async with realtime(stack) as socket:
        client = Client(socket)
        await client.configure(output={"format": WIRE[session]})
        await client.send("response.create", response={"audio": {"output": {"format": WIRE[name]}}})
        await client.until("response.done")
        assert_is_the_answer(client, name)


async def test_formats_change_in_the_middle_of_a_call_and_the_clock_goes_on(
    stack: StackState, question: Recording
) -> None:
    turn_ms = (question.seconds + 1) * 1000
    async with realtime(stack, "intent=transcription") as socket:
        client = Client(socket)
        for number, name in enumerate(("pcm", "pcmu", "pcma", "pcm")):
            await client.configure(input={"format": WIRE[name]})
            client.events = [event for event in client.events if event["type"] != "session.updated"]
            await client.say(question, name)
            stopped = await client.until("input_audio_buffer.speech_stopped", number + 1)
            expected = number * turn_ms + question.seconds * 1000 + 500
            assert stopped["audio_end_ms"] == pytest.approx(expected, abs=300)


async def test_a_recording_sent_at_once_is_transcribed_turn_by_turn(
    stack: StackState, question: Recording
) -> None:
    turn = np.concatenate([question.samples, np.zeros(question.rate, dtype=np.int16)])
    recording = Recording(np.tile(turn, TURNS), question.rate)
    async with realtime(stack, "intent=transcription") as socket:
        client = Client(socket)
        await client.configure(input={"format": WIRE["pcm"], "transcription": {"model": "whisper-1"}})
        await client.say(recording, "pcm")
        done = "conversation.item.input_audio_transcription.completed"
        await client.until(done, TURNS)
        committed = [event["item_id"] for event in client.of("input_audio_buffer.committed")]
        assert [event["item_id"] for event in client.of(done)] == committed
        assert len(set(committed)) == TURNS
