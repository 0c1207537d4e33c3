"""Whole calls by the official `openai` SDK."""

from typing import Literal

import numpy as np
import pytest
from openai.types.realtime import RealtimeSessionCreateRequestParam

from dialtone.local.call.recording import Recording
from dialtone.local.state import StackState

from .caller import RATE, Caller, calling

TRANSCRIBED: RealtimeSessionCreateRequestParam = {
    "type": "realtime",
    "audio": {"input": {"transcription": {"model": "whisper-1"}}},
}


async def voice_turn(caller: Caller, question: Recording) -> None:
    await caller.connection.session.update(session=TRANSCRIBED)
    await caller.until("session.updated")
    async with caller.speaking(question):
        await caller.until("response.done")


async def text_turn(caller: Caller, text: str, modality: Literal["text", "audio"]) -> None:
    await caller.connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    )
    await caller.connection.response.create(response={"output_modalities": [modality]})
    await caller.until("response.done")


async def test_a_voice_turn_comes_in_the_order_of_the_protocol(
    stack: StackState, question: Recording
) -> None:
    async with calling(stack.url) as caller:
        await voice_turn(caller, question)
    once = [t for i, t in enumerate(caller.types()) if t not in caller.types()[:i]]
    assert once == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    done = caller.of("response.done")[0].response
    assert done.status == "completed"
    assert np.abs(np.frombuffer(caller.audio(), dtype="<i2")).max() > 1000


async def test_a_text_turn_is_answered_in_text(stack: StackState) -> None:
    async with calling(stack.url) as caller:
        await text_turn(caller, "Hello", "text")
    text = "".join(event.delta for event in caller.of("response.output_text.delta"))
    assert text
    assert caller.of("response.output_text.done")[0].text == text
    assert not caller.of("response.output_audio.delta")
    usage = caller.of("response.done")[0].response.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens > 0


async def test_speaking_over_an_answer_ends_it_and_the_next_turn_is_answered(
    stack: StackState, question: Recording
) -> None:
    async with calling(stack.url) as caller:
        async with caller.speaking(question):
            await caller.until("response.output_audio.delta")
        async with caller.speaking(question):
            await caller.until("input_audio_buffer.speech_started")
            first = await caller.until("response.done")
            second = await caller.until("response.done")
    if first.response.status == "completed":  # it was sent whole before the speech was noticed
        pytest.fail("the answer was not interrupted")
    assert first.response.status_details.reason == "turn_detected"
    assert second.response.status == "completed"


async def test_a_client_that_comes_back_goes_on_with_its_conversation(stack: StackState) -> None:
    async with calling(stack.url) as caller:
        session_id = caller.of("session.created")[0].session.id
        await text_turn(caller, "Remember me", "text")
        item_id = caller.of("conversation.item.added")[0].item.id
    async with calling(stack.url, session_id=session_id) as caller:
        await caller.connection.conversation.item.retrieve(item_id=item_id)
        item = (await caller.until("conversation.item.retrieved")).item
    assert item.content[0].text == "Remember me"


@pytest.mark.models
async def test_a_spoken_question_is_understood_and_answered_sensibly(
    real_stack: StackState, question: Recording
) -> None:
    async with calling(real_stack.url) as caller:
        await voice_turn(caller, question)
    heard = caller.of("conversation.item.input_audio_transcription.completed")[0].transcript
    said = caller.of("response.output_audio_transcript.done")[0].transcript
    assert "capital" in heard.lower()
    assert "Paris" in said
    assert len(caller.audio()) > RATE  # more than half a second of sound


@pytest.mark.models
async def test_a_written_question_is_answered_aloud(real_stack: StackState) -> None:
    async with calling(real_stack.url) as caller:
        await text_turn(caller, "How much is 7 plus 5? Answer with the number.", "audio")
    assert "12" in caller.of("response.output_audio_transcript.done")[0].transcript
    assert len(caller.audio()) > RATE / 2


@pytest.mark.models
async def test_chinese_is_understood(real_stack: StackState) -> None:
    async with calling(real_stack.url) as caller:
        await text_turn(caller, "法国的首都是哪里？请用中文回答。", "text")
    assert "巴黎" in caller.of("response.output_text.done")[0].text
