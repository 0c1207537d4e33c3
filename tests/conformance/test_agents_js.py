"""Whole calls by `@openai/agents-realtime`, as its users make them."""

from __future__ import annotations

from typing import Any

import pytest

from dialtone.local.call.recording import Recording, save_wav
from tests.conformance.agents_js import Told, place, run
from tests.conformance.answers import STORY, reports_results, tells_a_story
from tests.conformance.caller import Server
from tests.fixtures.chat_answers import TEXT
from tests.fixtures.chat_server import ChatServer

HEARD_MS = 1200


@pytest.fixture(scope="module")
def wav(question: Recording, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The question as a file of PCM16 at 24 kHz."""
    path = tmp_path_factory.mktemp("wav") / "question.wav"
    save_wav(path, b"".join(question.at_rate(24_000).frames()), 24_000)
    return str(path)


def statuses(told: Told) -> list[tuple[str, Any]]:
    """(status, reason) of the responses, in the order of their ends."""
    responses = [event["response"] for event in told.of("response.done")]
    return [(r["status"], (r["status_details"] or {}).get("reason")) for r in responses]


async def test_a_written_question(server: Server) -> None:
    told = await run("text_turn.mjs", **place(server))
    assert told.history() == [("user", "Hello"), ("assistant", TEXT)]
    session = told.of("session.updated")[-1]["session"]
    assert session["instructions"] == "Be brief."
    assert session["audio"]["input"]["turn_detection"]["type"] == "semantic_vad"
    assert session["audio"]["input"]["turn_detection"]["interrupt_response"] is True
    assert not told.told("error")


async def test_a_spoken_question(server: Server, wav: str) -> None:
    told = await run("voice_turn.mjs", wav=wav, **place(server))
    (_, heard), answer = told.history()
    assert heard == told.of("conversation.item.input_audio_transcription.completed")[0]["transcript"] != ""
    assert answer == ("assistant", TEXT)
    assert sum(told.told("audio")) > 24_000  # half a second
    assert not told.told("error")


async def test_tools_run_and_their_results_are_answered(server: Server, chat_server: ChatServer) -> None:
    chat_server.rules.insert(0, reports_results)
    told = await run("function_calls.mjs", **place(server))
    assert sorted(told.told("tool")) == ["Paris", "Tokyo"]
    history = told.history()
    assert history[:3] == [
        ("user", "What is the weather in Paris and in Tokyo?"),
        ("function_call", 'get_weather({"city": "Paris"}) -> fine in Paris'),
        ("function_call", 'get_weather({"city": "Tokyo"}) -> fine in Tokyo'),
    ]
    assert history[-2:] == [("user", "Thank you"), ("assistant", TEXT)]
    assert all(status == ("completed", None) for status in statuses(told))
    assert not told.told("error")


async def test_interrupting_keeps_what_was_heard(server: Server, chat_server: ChatServer) -> None:
    chat_server.rules.insert(0, tells_a_story)
    told = await run("interrupt.mjs", heard_ms=HEARD_MS, **place(server))
    assert statuses(told) == [("cancelled", "client_cancelled"), ("completed", None)]
    assert told.told("audio_interrupted")
    truncated = told.of("conversation.item.truncated")[0]
    assert HEARD_MS - 100 < truncated["audio_end_ms"] < HEARD_MS + 1000
    _, (_, kept), asked, answer = told.history()
    assert kept
    assert STORY.startswith(kept.strip())
    assert len(kept) < len(STORY) / 2
    assert (asked, answer) == (("user", "Hello"), ("assistant", TEXT))
    assert not told.told("error")


async def test_speaking_over_an_answer(server: Server, chat_server: ChatServer, wav: str) -> None:
    chat_server.rules.insert(0, tells_a_story)
    told = await run("barge_in.mjs", wav=wav, heard_ms=HEARD_MS, **place(server))
    assert statuses(told) == [("cancelled", "turn_detected"), ("completed", None)]
    assert told.told("audio_interrupted")
    roles = [role for role, _ in told.history()]
    assert roles == ["user", "assistant", "user", "assistant"]
    kept, answer = told.history()[1][1], told.history()[3][1]
    assert STORY.startswith(kept.strip())
    assert len(kept) < len(STORY) / 2
    assert answer == TEXT
    assert not told.told("error")


async def test_a_response_beside_the_conversation(server: Server) -> None:
    told = await run("out_of_band.mjs", **place(server))
    beside = told.of("response.done")[1]["response"]
    assert beside["metadata"] == {"topic": "support"}
    assert beside["conversation_id"] is None
    assert len(told.of("conversation.item.added")) == 2
    assert not told.told("error")


async def test_coming_back_to_a_conversation(server: Server, chat_server: ChatServer) -> None:
    told = await run("reconnect.mjs", **place(server))
    said = [message["content"] for message in chat_server.seen[-1].body["messages"]]
    assert said[-3:] == ["Remember the number seven.", TEXT, "Which number was it?"]
    assert told.of("conversation.item.retrieved")[0]["item"]["content"][0]["text"] == TEXT
    assert not told.told("error")


async def test_a_history_written_by_the_client(server: Server, chat_server: ChatServer) -> None:
    told = await run("history.mjs", **place(server))
    mine = [("user", "zero"), ("user", "two"), ("user", "drei"), ("user", "Hello")]
    assert told.history() == [*mine, ("assistant", TEXT)]
    said = [(m["role"], m["content"]) for m in chat_server.seen[-1].body["messages"]]
    assert [words for words in said if words[0] == "user"] == mine
    assert not told.told("error")


async def test_a_transcription_session(server: Server, wav: str) -> None:
    told = await run("transcription.mjs", wav=wav, **place(server, "intent=transcription"))
    heard = told.of("conversation.item.input_audio_transcription.completed")[0]
    assert heard["transcript"]
    assert not any(event["type"].startswith("response.") for event in told.events)
    assert not told.told("error")


@pytest.mark.models
async def test_a_recording_is_transcribed_by_the_default_models(real_server: Server, wav: str) -> None:
    told = await run("transcription.mjs", wav=wav, **place(real_server, "intent=transcription"))
    heard = told.of("conversation.item.input_audio_transcription.completed")[0]
    assert "capital" in heard["transcript"].lower()
    assert not told.told("error")


@pytest.mark.models
async def test_a_recording_is_understood_and_answered_by_the_default_models(
    real_server: Server, wav: str
) -> None:
    told = await run("voice_turn.mjs", wav=wav, **place(real_server))
    (_, heard), (_, said) = told.history()
    assert "capital" in heard.lower()
    assert "Paris" in said
    assert sum(told.told("audio")) > 24_000
    assert not told.told("error")
