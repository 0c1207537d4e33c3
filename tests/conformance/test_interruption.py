"""Answers that are cut short: by the client's word and by the user's voice."""

from __future__ import annotations

from typing import Any

import pytest

from dialtone.local.call.recording import Recording
from tests.conformance.answers import STORY, tells_a_story
from tests.conformance.caller import Caller, Server
from tests.conformance.dialect import Dialect, Ga, Setup
from tests.fixtures.chat_server import ChatServer

HEARD_MS = 1200


@pytest.fixture(autouse=True)
def story(chat_server: ChatServer) -> None:
    chat_server.rules.insert(0, tells_a_story)


async def begin_story(caller: Caller) -> Any:
    """Ask for a story aloud and listen to it for HEARD_MS, as one who plays it does; return its item."""
    await caller.say("Tell me a long story.")
    await caller.connection.response.create()
    item = (await caller.until("response.output_item.added")).item
    await caller.until("response.output_audio.delta")
    await caller.listen(HEARD_MS / 1000)
    return item


async def test_a_cancelled_response_ends_at_once_with_all_that_was_begun_ended(
    server: Server, dialect: Dialect
) -> None:
    async with server.calling(dialect) as caller:
        item = await begin_story(caller)
        await caller.connection.response.cancel()
        done = (await caller.until("response.done")).response
        tail = [event.type for event in caller.events]
        await caller.connection.response.cancel(event_id="too-late")
        error = (await caller.until("error")).error
        after = await caller.ask("Hello")
    assert (done.status, done.status_details.reason) == ("cancelled", "client_cancelled")
    assert done.output[0].id == item.id
    assert done.output[0].status == "incomplete"
    last_delta = max(i for i, kind in enumerate(tail) if kind.endswith(".delta"))
    ended = [kind for kind in tail[last_delta:] if kind.endswith(".done")]
    assert ended[-2:] == ["response.output_item.done", "response.done"]
    for kind in ("response.output_audio.done", "response.output_audio_transcript.done"):
        assert dialect.wire(kind) in ended
    assert (error.code, error.event_id) == ("response_cancel_not_active", "too-late")
    assert error.message.startswith("Cancellation failed")
    assert after.status == "completed"


async def test_truncating_what_was_not_heard_cuts_the_words_as_well(
    server: Server, dialect: Dialect, chat_server: ChatServer
) -> None:
    async with server.calling(dialect) as caller:
        item = await begin_story(caller)
        await caller.connection.response.cancel()
        await caller.until("response.done")
        truncate = caller.connection.conversation.item.truncate
        for _ in range(2):  # the second time changes nothing
            await truncate(item_id=item.id, content_index=0, audio_end_ms=HEARD_MS)
            truncated = await caller.until("conversation.item.truncated")
            assert (truncated.item_id, truncated.content_index) == (item.id, 0)
            assert truncated.audio_end_ms == HEARD_MS
        kept = (await caller.retrieve(item.id)).content[0].transcript
        await truncate(item_id=item.id, content_index=0, audio_end_ms=3_600_000)  # past its end
        await caller.until("conversation.item.truncated")
        await caller.ask("Hello")
    assert kept
    assert STORY.startswith(kept.strip())
    assert len(kept) < len(STORY) / 4
    remembered = [m["content"] for m in chat_server.seen[-1].body["messages"] if m["role"] == "assistant"]
    assert remembered[0].strip() == kept.strip()
    assert not caller.errors()


async def test_speaking_over_an_answer_ends_it_and_is_answered(
    server: Server, dialect: Dialect, question: Recording
) -> None:
    async with server.calling(dialect) as caller:
        await caller.set_up(Setup(transcription={"model": "whisper-1"}))
        item = await begin_story(caller)
        async with caller.speaking(question):
            started = await caller.until("input_audio_buffer.speech_started")
            # What a client does: it drops what it has not played and says how much it had.
            await caller.connection.conversation.item.truncate(
                item_id=item.id, content_index=0, audio_end_ms=HEARD_MS
            )
            first = await caller.until("response.done")
            second = await caller.until("response.done")
            kept = (await caller.retrieve(item.id)).content[0].transcript
    assert (first.response.status, first.response.status_details.reason) == ("cancelled", "turn_detected")
    assert second.response.status == "completed"
    assert len(kept) < len(STORY) / 4
    between = caller.events[caller.events.index(started) :]
    late = [
        e for e in between if getattr(e, "response_id", "") == first.response.id and e.type.endswith("delta")
    ]
    assert not late, "deltas after the user began to speak"
    asked = next(e for e in caller.of("conversation.item.added") if e.item.id == started.item_id)
    assert asked.previous_item_id == item.id
    assert not caller.errors()


async def test_an_answer_that_may_not_be_interrupted_goes_on(server: Server, question: Recording) -> None:
    keep_talking = {"type": "server_vad", "interrupt_response": False, "create_response": False}
    async with server.calling(Ga()) as caller:
        await caller.set_up(Setup(turn_detection=keep_talking))
        await begin_story(caller)
        async with caller.speaking(question):
            await caller.until("input_audio_buffer.committed")
            done = (await caller.until("response.done")).response
    assert done.status == "completed"
    assert done.output[0].content[0].transcript == STORY
    assert len(caller.of("response.created")) == 1
    assert not caller.errors()
