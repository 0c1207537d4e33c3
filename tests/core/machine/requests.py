"""What a client may ask of a call: right, odd and wrong, in every member."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    ItemReference,
    MessageItem,
    OutputText,
)
from dialtone.gateway.core.moshi_limits import blank_session
from dialtone.gateway.core.session import (
    PCM_24K,
    Audio,
    AudioFormat,
    AudioInput,
    AudioOutput,
    Extensions,
    FunctionChoice,
    FunctionTool,
    SemanticVad,
    ServerVad,
    SessionConfig,
    Transcription,
)
from tests.dialects.json_values import OBJECTS

PCMU, PCMA = AudioFormat("audio/pcmu"), AudioFormat("audio/pcma")
TOOL = FunctionTool("look_up", "Looks it up.", {"type": "object"})
HEARD = Transcription("whisper-1")

CONFIGS = {
    "default": SessionConfig(),
    "transcribed": SessionConfig(audio=Audio(input=AudioInput(transcription=HEARD))),
    "text by hand": SessionConfig(
        output_modalities=["text"],
        audio=Audio(input=AudioInput(PCMU, HEARD, turn_detection=None), output=AudioOutput(PCMA)),
        tools=[TOOL],
    ),
    "not interrupted": SessionConfig(
        audio=Audio(
            input=AudioInput(
                transcription=HEARD, turn_detection=ServerVad(interrupt_response=False, idle_timeout_ms=5000)
            )
        ),
        dialtone=Extensions(partial_transcripts=True, turn_metrics=True),
    ),
    "hard to interrupt": SessionConfig(
        audio=Audio(input=AudioInput(turn_detection=ServerVad(idle_timeout_ms=5000))),
        dialtone=Extensions(interrupt_min_speech_ms=400, interrupt_min_words=2, partial_transcripts=True),
    ),
    "eager": SessionConfig(
        audio=Audio(input=AudioInput(PCMA, HEARD, turn_detection=SemanticVad(eagerness="high"))),
        dialtone=Extensions(candidate_pause_ms=0),
    ),
    "transcription": SessionConfig(type="transcription", audio=Audio(input=AudioInput(transcription=HEARD))),
    "moshi": blank_session("moshi", ""),
    "moshi with ears": SessionConfig(
        model="moshi-base",
        instructions="Be kind.",
        audio=Audio(input=AudioInput(PCMA, HEARD)),
        dialtone=Extensions(partial_transcripts=True, interrupt_min_words=1),
    ),
    "moshi transcribed": SessionConfig(
        model="moshi", audio=Audio(input=AudioInput(transcription=HEARD, turn_detection=None))
    ),
    "transcription by hand": SessionConfig(
        type="transcription",
        audio=Audio(input=AudioInput(PCMU, HEARD, turn_detection=None)),
        dialtone=Extensions(partial_transcripts=True),
    ),
}

# --- session.update


def _input(**members: Any) -> dict[str, Any]:
    return {"audio": {"input": members}}


def _output(**members: Any) -> dict[str, Any]:
    return {"audio": {"output": members}}


def _vad(**members: Any) -> dict[str, Any]:
    return _input(turn_detection={"type": "server_vad", **members})


PATCHES: list[dict[str, Any]] = [
    {},
    {"type": "realtime", "instructions": "Be brief."},
    {"instructions": ""},
    {"output_modalities": ["text"]},
    {"output_modalities": ["audio"]},
    {"output_modalities": ["audio", "text"]},
    {"model": "another", "temperature": 3, "unheard": {}},
    {"model": "moshi"},
    {"tools": [{"type": "function", "name": "look_up", "parameters": {"$schema": "x", "strict": True}}]},
    {"tools": [{"type": "function"}], "tool_choice": "required"},
    {"tools": [], "tool_choice": {"type": "function", "name": "look_up"}},
    {"max_output_tokens": 0, "tracing": "auto", "truncation": "disabled", "prompt": {"id": "p"}},
    {"max_output_tokens": 100, "include": ["item.input_audio_transcription.logprobs"]},
    _input(turn_detection=None),
    _input(turn_detection={"type": "semantic_vad", "eagerness": "low"}),
    _input(turn_detection={"type": "psychic_vad"}),
    _input(turn_detection=7),
    _vad(),
    _vad(threshold=0.9, prefix_padding_ms=0, silence_duration_ms=200),
    _vad(threshold=7, prefix_padding_ms=-1, silence_duration_ms="long"),
    _vad(create_response=False),
    _vad(interrupt_response=False),
    _vad(idle_timeout_ms=5000),
    _vad(idle_timeout_ms=1),
    _input(transcription={"model": "whisper-1", "language": "en"}),
    _input(transcription=None, noise_reduction={"type": "near_field"}),
    _input(transcription={"model": 5}),
    _input(format={"type": "audio/pcm", "rate": 24000}),
    _input(format={"type": "audio/pcmu"}),
    _input(format={"type": "audio/pcma"}),
    _input(format={"type": "audio/opus"}),
    _output(format={"type": "audio/pcmu"}),
    _output(format={"type": "audio/pcm", "rate": 24000}, speed=1.5),
    _output(voice="marin", speed=9),
    _output(voice={"id": "mine"}),
    {"dialtone": {"interrupt_min_speech_ms": 400, "interrupt_min_words": 1}},
    {"dialtone": {"interrupt_min_speech_ms": None, "interrupt_min_words": None}},
    {"dialtone": {"partial_transcripts": True, "candidate_pause_ms": 0, "unheard": 1}},
]
PATCH = st.sampled_from(PATCHES) | OBJECTS

# --- items and responses

CONTENTS: list[MessageItem] = [
    MessageItem("", "user", [InputText("Hello there.")]),
    MessageItem("", "user", [InputText(""), InputImage("data:image/png;base64,AA==")]),
    MessageItem("", "user", [InputAudio("as it was said")]),
    MessageItem("", "user", []),
    MessageItem("", "system", [InputText("Be kind.")]),
    MessageItem("", "assistant", [OutputText("As I said, yes.")]),
]
ITEMS: list[Item] = [
    *CONTENTS,
    FunctionCallItem("", "call_0", "look_up", "{}"),
    FunctionCallOutputItem("", "call_0", "42"),
    FunctionCallOutputItem("", "call_unheard", "42"),
]
RECORDED = MessageItem("", "user", [InputText("Listen."), InputAudio()])
OWN_IDS = ["", "mine_1", "mine_2"]


def _options(known: str) -> list[ask.ResponseOptions]:
    """Requests for a response; `known` is the id of an item, of this call or not."""
    own: list[Item | ItemReference] = [CONTENTS[0], ItemReference(known), ItemReference("unheard")]
    return [
        ask.ResponseOptions(),
        ask.ResponseOptions(output_modalities=["text"], instructions="Whisper."),
        ask.ResponseOptions(output_format=PCMU, voice="ash", max_output_tokens=10, temperature=0.7),
        ask.ResponseOptions(output_format=PCM_24K, metadata={"client_event_id": "x"}),
        ask.ResponseOptions(tools=[TOOL], tool_choice="required"),
        ask.ResponseOptions(tools=[], tool_choice=FunctionChoice("unheard"), max_output_tokens="inf"),
        ask.ResponseOptions(input=[]),
        ask.ResponseOptions(input=own),
        ask.ResponseOptions(conversation="none", metadata={}),
        ask.ResponseOptions(conversation="none", input=own, output_modalities=["text"]),
        ask.ResponseOptions(conversation="none", input=[]),
    ]


def options_of(which: int, known: str) -> ask.ResponseOptions:
    choices = _options(known)
    return choices[which % len(choices)]


AUDIO_BYTES = st.sampled_from([0, 1, 14, 160, 960, 9600, 48_001])
