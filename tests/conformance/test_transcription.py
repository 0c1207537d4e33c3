"""Transcription sessions (`?intent=transcription`) by the `openai` SDK: they listen and never answer."""

from __future__ import annotations

import base64

import pytest

from dialtone.local.call.recording import Recording
from tests.conformance.caller import Caller, Server
from tests.conformance.dialect import AudioFormat, Beta, Dialect, Ga, Setup, named
from tests.conformance.order import SPEECH, USER_ITEM, assert_order
from tests.conformance.sound import frames, silence
from tests.fixtures.chat_server import ChatServer

INTENT = {"intent": "transcription"}
WHISPER = {"model": "whisper-1", "language": "en"}
HEARD = "conversation.item.input_audio_transcription"
VAD = {"type": "server_vad"}


async def set_up(caller: Caller, **audio_input: object) -> None:
    await caller.connection.send(caller.dialect.transcription_session(**audio_input))
    await caller.until(caller.dialect.transcription_updated)


async def test_speech_comes_back_as_words_and_nothing_else(
    server: Server, dialect: Dialect, question: Recording
) -> None:
    async with server.calling(dialect, **INTENT) as caller:
        created = caller.events[0]
        await set_up(caller, transcription=WHISPER, turn_detection=VAD)
        async with caller.speaking(question):
            heard = await caller.until(f"{HEARD}.completed")
    assert created.type == dialect.transcription_updated.replace("updated", "created")
    assert created.to_dict()["session"]["object"] == "realtime.transcription_session"
    assert_order(caller, SPEECH, USER_ITEM)
    assert heard.item_id == caller.of("input_audio_buffer.committed")[0].item_id
    assert heard.transcript
    assert caller.text(f"{HEARD}.delta") == heard.transcript
    assert heard.usage is not None
    assert not caller.errors()


async def test_without_detection_the_client_commits(
    server: Server, dialect: Dialect, question: Recording
) -> None:
    async with server.calling(dialect, **INTENT) as caller:
        await set_up(caller, transcription=WHISPER, turn_detection=None)
        items: list[str] = []
        for _ in range(2):
            for frame in [*frames(question, "pcm"), silence("pcm")]:
                await caller.append(frame)
            await caller.connection.input_audio_buffer.commit()
            items.append((await caller.until("input_audio_buffer.committed")).item_id)
        while len(caller.of(f"{HEARD}.completed")) < 2:
            await caller.next()
    first, second = caller.of("input_audio_buffer.committed")
    assert (first.previous_item_id, second.previous_item_id) == (None, items[0])
    assert {event.item_id for event in caller.of(f"{HEARD}.completed")} == set(items)
    assert not caller.errors()


async def test_audio_in_an_item_is_heard_before_it_is_answered(
    server: Server, dialect: Dialect, question: Recording, chat_server: ChatServer
) -> None:
    """As the first beta client's `sendUserMessageContent` does it."""
    audio = base64.b64encode(b"".join(frames(question, "pcm"))).decode()
    async with server.calling(dialect) as caller:
        await caller.set_up(Setup(modality="text", transcription=WHISPER))
        part = {"type": "input_audio", "audio": audio}
        item = {"type": "message", "role": "user", "content": [part]}
        await caller.send("conversation.item.create", item=item)
        await caller.send("response.create")
        done = (await caller.until("response.done")).response
    added, heard = caller.of("conversation.item.added")[0].item, caller.of(f"{HEARD}.completed")[0]
    assert (added.id, added.content[0].transcript) == (heard.item_id, None)
    assert caller.text(f"{HEARD}.delta") == heard.transcript
    assert heard.transcript
    assert chat_server.seen[-1].body["messages"][-1]["content"] == heard.transcript
    assert done.status == "completed"
    assert not caller.errors()


async def test_a_response_is_refused(server: Server, dialect: Dialect) -> None:
    async with server.calling(dialect, **INTENT) as caller:
        await caller.connection.response.create(event_id="no-answers-here")
        error = (await caller.until("error")).error
        await set_up(caller, transcription=WHISPER, turn_detection=None)
    assert error.type == "invalid_request_error"
    assert error.event_id == "no-answers-here"
    assert not caller.of("response.created")


@pytest.mark.models
@pytest.mark.parametrize(("dialect", "form"), [(Ga(), "pcmu"), (Beta(), "pcm")], ids=named)
async def test_a_recording_is_understood(
    real_server: Server, dialect: Dialect, question: Recording, form: AudioFormat
) -> None:
    async with real_server.calling(dialect, **INTENT) as caller:
        await set_up(caller, transcription=WHISPER, turn_detection=VAD, format=dialect.audio_format(form))
        async with caller.speaking(question, form):
            heard = await caller.until(f"{HEARD}.completed")
    assert "capital" in heard.transcript.lower()
    assert "france" in heard.transcript.lower()
    assert caller.text(f"{HEARD}.delta") == heard.transcript
    assert not caller.errors()
