"""What well-known clients do beyond the protocol's examples, as they do it."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

from dialtone.local.call.recording import Recording
from tests.conformance.answers import tells_a_story
from tests.conformance.caller import Caller, Server
from tests.conformance.dialect import Beta, Dialect, Ga, Setup
from tests.conformance.sound import recorded
from tests.fixtures.chat_answers import TEXT
from tests.fixtures.chat_server import ChatServer


def message(item_id: str, text: str, role: str = "user") -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"id": item_id, "type": "message", "role": role, "content": [{"type": kind, "text": text}]}


async def replay(caller: Caller, history: list[dict[str, Any]], previous: str | None) -> None:
    """Create the items one after the other, each acknowledged by its own id."""
    for item in history:
        members = {} if previous is None else {"previous_item_id": previous}
        await caller.send("conversation.item.create", item=item, **members)
        previous = item["id"]
    for item in history:
        assert (await caller.until("conversation.item.added")).item.id == item["id"]


# --- livekit-plugins-openai


async def test_livekit_sends_its_session_in_pieces_and_knows_its_response_by_the_metadata(
    server: Server,
) -> None:
    async with server.calling(Ga()) as caller:
        parts: list[dict[str, Any]] = [{"instructions": "Be brief."}, {"tools": []}]
        for part in [*parts, {"output_modalities": ["text"]}]:
            await caller.send("session.update", session={"type": "realtime", **part})
        await caller.send(
            "response.create", event_id="response_create_1", response={"metadata": {"client_event_id": "abc"}}
        )
        created = await caller.until("response.created")
        done = await caller.until("response.done")
    assert len(caller.of("session.updated")) == 3
    assert caller.of("session.updated")[-1].session.instructions == "Be brief."
    assert created.response.metadata == done.response.metadata == {"client_event_id": "abc"}
    assert not caller.errors()


async def test_livekit_replays_a_history_with_ids_of_its_own_from_the_root(
    server: Server, chat_server: ChatServer
) -> None:
    history = [
        message("item_a", "I am Ada."),
        message("item_b", "Hello Ada.", "assistant"),
        {"id": "item_c", "type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {"id": "item_d", "type": "function_call_output", "call_id": "call_1", "output": "seen"},
    ]
    async with server.calling(Ga()) as caller:
        await caller.set_up(Setup(modality="text"))
        await replay(caller, history, previous="root")
        await caller.send(
            "conversation.item.create", item=message("item_0", "First."), previous_item_id="root"
        )
        first = await caller.until("conversation.item.added")
        await caller.send("conversation.item.delete", item_id="item_b")
        deleted = await caller.until("conversation.item.deleted")
        await caller.ask("Who am I?")
    before = {event.item.id: event.previous_item_id for event in caller.of("conversation.item.added")}
    assert [before[item["id"]] for item in history] == [None, "item_a", "item_b", "item_c"]
    assert (first.item.id, first.previous_item_id) == ("item_0", None)
    assert deleted.item_id == "item_b"
    said = [m["content"] for m in chat_server.seen[-1].body["messages"] if m["role"] != "system"]
    assert said == ["First.", "I am Ada.", "", "seen", "Who am I?"]
    assert not caller.errors()


async def test_livekit_cancels_once_more_and_commits_once_more_than_there_is_to(server: Server) -> None:
    async with server.calling(Ga()) as caller:
        await caller.connection.response.cancel()
        cancel = (await caller.until("error")).error
        await caller.connection.input_audio_buffer.commit()
        commit = (await caller.until("error")).error
        await caller.send("conversation.item.create", item=message("item_a", "Hello"))
        await caller.send("conversation.item.create", item=message("item_a", "Hello"))
        twice = (await caller.until("error")).error
    assert cancel.message.startswith("Cancellation failed")
    assert commit.code == "input_audio_buffer_commit_empty"
    assert twice.code == "item_create_duplicate_item_id"


# --- pipecat-ai


async def test_pipecat_has_an_empty_conversation_answered(server: Server, dialect: Dialect) -> None:
    async with server.calling(dialect) as caller:
        await caller.send("response.create")
        done = (await caller.until("response.done")).response
    assert done.status == "completed"
    assert done.output[0].content[0].transcript
    assert not caller.errors()


async def test_pipecat_truncates_an_answer_that_was_played_to_its_end(
    server: Server, dialect: Dialect
) -> None:
    async with server.calling(dialect) as caller:
        item = (await caller.ask("Hello", "audio")).output[0]
        whole_ms = round(recorded(caller.audio(), "pcm").seconds * 1000)
        for more in (0, 3):
            await caller.send(
                "conversation.item.truncate", item_id=item.id, content_index=0, audio_end_ms=whole_ms + more
            )
            await caller.until("conversation.item.truncated")
        kept = await caller.retrieve(item.id)
    assert kept.content[0].transcript == TEXT
    assert not caller.errors()


async def test_pipecat_asks_for_a_response_while_the_user_is_speaking(
    server: Server, question: Recording
) -> None:
    async with server.calling(Ga()) as caller:
        await caller.set_up(Setup())
        async with caller.speaking(question):
            await caller.until("input_audio_buffer.speech_started")
            await caller.say("The conversation so far: nothing.")
            await caller.send("response.create")
            spoken = (await caller.until("input_audio_buffer.committed")).item_id
            async with asyncio.timeout(30):
                while len(caller.of("response.done")) < 2:
                    await caller.next()
    last = caller.of("response.done")[-1].response
    order = [event.item.id for event in caller.of("conversation.item.added")]
    assert last.status == "completed"
    assert order.index(spoken) < order.index(last.output[0].id)
    assert not caller.errors()


# --- @openai/agents-realtime, openai-realtime-api-beta


async def test_agents_js_is_told_which_response_was_refused(server: Server, chat_server: ChatServer) -> None:
    chat_server.rules.insert(0, tells_a_story)
    async with server.calling(Ga()) as caller:
        await caller.set_up(Setup(modality="text"))
        await caller.say("Tell me a long story.")
        for number in (1, 2):
            await caller.send("response.create", event_id=f"agents_js_response_create_{number}")
        error = (await caller.until("error")).error
        await caller.until("response.done")
    assert error.event_id == "agents_js_response_create_2"


async def test_the_first_beta_client_meets_every_item_before_its_parts_and_words(server: Server) -> None:
    async with server.calling(Beta()) as caller:
        await caller.ask("Hello", "audio")
    known: set[str] = set()
    for event in caller.events:
        if event.type == "conversation.item.created":
            known.add(event.item.id)
            assert isinstance(event.item.content, list)
        if getattr(event, "item_id", None):
            assert event.item_id in known
    assert caller.of("response.created")[0].response.output == []
    assert caller.of("response.content_part.added")[0].part.transcript == ""


async def test_whatever_a_client_sends_on_connecting_is_taken_in_order(
    server: Server, dialect: Dialect
) -> None:
    """Clients send without waiting: an update, items, a request for a response, and another update."""
    async with server.calling(dialect) as caller:
        await caller.connection.session.update(session=dialect.session(Setup(modality="text")))
        for n in range(5):
            await caller.say(f"number {n}")
        await caller.send("response.create")
        await caller.connection.session.update(session=dialect.session(Setup(instructions="Be brief.")))
        await caller.until("response.done")
    added = caller.of("conversation.item.added")
    assert [event.item.content[0].text for event in added[:5]] == [f"number {n}" for n in range(5)]
    assert all(after.previous_item_id == before.item.id for before, after in pairwise(added))
    assert caller.of(dialect.wire("response.output_text.done"))[0].text == TEXT
    assert not caller.errors()
