"""Turns by the `openai` SDK, in both dialects: written, spoken, and ended by the client."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from dialtone.audio import pcm16_to_bytes
from dialtone.local.call.recording import Recording, has_voice
from tests.conformance.caller import Server
from tests.conformance.dialect import AudioFormat, Beta, Dialect, Ga, Setup, named
from tests.conformance.order import SPEECH, SPOKEN_ANSWER, USER_ITEM, WRITTEN_ANSWER, assert_order
from tests.conformance.sound import frames, recorded, silence
from tests.fixtures.chat_answers import TEXT

TRANSCRIBED = {"model": "whisper-1"}


def counts_add_up(response: Any) -> None:
    usage = response.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0
    heard, said = usage.input_token_details, usage.output_token_details
    assert heard.text_tokens + heard.audio_tokens == usage.input_tokens
    assert said.text_tokens + said.audio_tokens == usage.output_tokens


async def test_a_written_question_is_answered_in_text(server: Server, dialect: Dialect) -> None:
    async with server.calling(dialect) as caller:
        await caller.set_up(Setup(modality="text"))
        response = await caller.ask("Hello")
    assert_order(caller, USER_ITEM, WRITTEN_ANSWER)
    assert caller.text("response.output_text.delta") == TEXT
    assert caller.of("response.output_text.done")[0].text == TEXT
    assert response.output[0].content[0].text == TEXT
    assert response.status == "completed"
    asked, answer = caller.of("conversation.item.added")
    assert asked.previous_item_id is None
    assert answer.previous_item_id == asked.item.id
    assert answer.item.id == response.output[0].id
    counts_add_up(response)
    assert not caller.errors()


async def test_a_spoken_question_is_answered_aloud(
    server: Server, dialect: Dialect, question: Recording
) -> None:
    async with server.calling(dialect) as caller:
        await caller.set_up(Setup(transcription=TRANSCRIBED))
        async with caller.speaking(question):
            response = (await caller.until("response.done")).response
        turn = list(caller.events)
        spoken = caller.of("input_audio_buffer.committed")[0].item_id
        kept = (await caller.retrieve(spoken)).content[0]
    assert_order(caller, SPEECH, USER_ITEM, SPOKEN_ANSWER, events=turn)
    started, stopped = (
        caller.of("input_audio_buffer.speech_started")[0],
        caller.of("input_audio_buffer.speech_stopped")[0],
    )
    assert 0 <= started.audio_start_ms < stopped.audio_end_ms
    committed = caller.of("input_audio_buffer.committed")[0]
    asked, answer = caller.of("conversation.item.added")
    heard = caller.of("conversation.item.input_audio_transcription.completed")[0]
    assert started.item_id == stopped.item_id == committed.item_id == asked.item.id == heard.item_id
    assert asked.item.content[0].type == "input_audio"
    assert heard.transcript == kept.transcript != ""
    sound = recorded(base64.b64decode(kept.audio), "pcm")
    assert abs(sound.seconds * 1000 - (stopped.audio_end_ms - started.audio_start_ms)) < 700
    assert answer.previous_item_id == asked.item.id
    assert response.status == "completed"
    assert response.output[0].content[0].transcript == TEXT
    assert caller.text("response.output_audio_transcript.delta") == TEXT
    assert recorded(caller.audio(), "pcm").seconds > 0.5
    counts_add_up(response)
    assert not caller.errors()


async def test_a_turn_ended_by_the_client_is_answered_when_it_asks(
    server: Server, dialect: Dialect, question: Recording
) -> None:
    async with server.calling(dialect) as caller:
        await caller.set_up(Setup(turn_detection=None))
        for frame in [*frames(question, "pcm"), *[silence("pcm")] * 10]:
            await caller.append(frame)
        await caller.connection.input_audio_buffer.commit()
        await caller.connection.response.create()
        response = (await caller.until("response.done")).response
    assert_order(
        caller,
        ["input_audio_buffer.committed", *USER_ITEM],
        SPOKEN_ANSWER,
    )
    assert response.status == "completed"
    assert not caller.of("input_audio_buffer.speech_started")
    assert not caller.errors()


@pytest.mark.models
@pytest.mark.parametrize(("dialect", "form"), [(Ga(), "pcm"), (Ga(), "pcma"), (Beta(), "pcmu")], ids=named)
async def test_a_recording_is_understood_and_answered_by_the_default_models(
    real_server: Server, dialect: Dialect, question: Recording, form: AudioFormat
) -> None:
    async with real_server.calling(dialect) as caller:
        await caller.set_up(Setup(transcription=TRANSCRIBED, input_format=form, output_format=form))
        async with caller.speaking(question, form):
            response = (await caller.until("response.done")).response
    heard = caller.of("conversation.item.input_audio_transcription.completed")[0].transcript
    assert "capital" in heard.lower()
    assert "Paris" in response.output[0].content[0].transcript
    assert recorded(caller.audio(), form).seconds > 0.5
    assert has_voice(pcm16_to_bytes(recorded(caller.audio(), form).samples))
    assert not caller.errors()
