"""One of each server event that has a form in the Realtime protocol."""

from __future__ import annotations

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    MessageItem,
    OutputAudio,
    OutputText,
)
from dialtone.gateway.core.session import (
    PCM_24K,
    Audio,
    AudioFormat,
    AudioInput,
    AudioOutput,
    Extensions,
    FunctionChoice,
    FunctionTool,
    NoiseReduction,
    SemanticVad,
    SessionConfig,
    Transcription,
)

R, A, U, F = "resp_1", "item_a", "item_u", "item_f"

USER_AUDIO = MessageItem(U, "user", [InputAudio()])
USER_TEXT = MessageItem(U, "user", [InputText('say "hi"\n\u2028你好')])
USER_IMAGE = MessageItem(U, "user", [InputImage("data:image/png;base64,iVBORw0KGgo=")])
SYSTEM = MessageItem("item_s", "system", [InputText("be brief")])
ASSISTANT = MessageItem(A, "assistant", [OutputAudio("Hello.")])
ASSISTANT_TEXT = MessageItem(A, "assistant", [OutputText("Hello.")], status="incomplete")
OPENING = MessageItem(A, "assistant", [], status="in_progress")
CALL = FunctionCallItem(F, "call_1", "look_up", '{"x":1}')
CALL_OUTPUT = FunctionCallOutputItem("item_o", "call_1", "42")
ITEMS: list[Item] = [
    USER_AUDIO,
    USER_TEXT,
    USER_IMAGE,
    SYSTEM,
    ASSISTANT,
    ASSISTANT_TEXT,
    OPENING,
    CALL,
    CALL_OUTPUT,
]


def response(status: str = "completed", **changes: object) -> out.Response:
    members: dict[str, object] = {
        "id": R,
        "status": status,
        "status_details": None,
        "output": [ASSISTANT, CALL],
        "conversation_id": "conv_1",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "audio": out.ResponseAudio(out.ResponseAudioOutput(PCM_24K, "alloy")),
        "usage": out.Usage(3, 2, 1),
        "temperature": 0.7,
        "metadata": {"client_event_id": "x"},
    } | changes
    return out.Response(**members)  # type: ignore[arg-type]


EVERYTHING = SessionConfig(
    model="qwen",
    output_modalities=["text"],
    instructions="Sei kurz.",
    audio=Audio(
        AudioInput(
            AudioFormat("audio/pcmu"),
            Transcription("whisper-1", "de", "Namen"),
            NoiseReduction("near_field"),
            SemanticVad("low", interrupt_response=False),
        ),
        AudioOutput(AudioFormat("audio/pcma"), "joe", 1.2),
    ),
    tools=[FunctionTool("f", "does f", {"type": "object", "default": None})],
    tool_choice=FunctionChoice("f"),
    max_output_tokens=100,
    tracing={"workflow_name": "w"},
    truncation={"type": "retention_ratio", "retention_ratio": 0.8},
    prompt={"id": "p"},
    include=["item.input_audio_transcription.logprobs"],
    dialtone=Extensions(temperature=0.9, noise_scale=0.5),
)
LISTENING = SessionConfig(
    type="transcription", audio=Audio(AudioInput(transcription=Transcription("whisper-1", "en", "x")))
)
FAILED = out.StatusDetails("failed", error=out.StatusError("server_error", "overloaded", "too busy"))

EVENTS: list[out.ServerEvent] = [
    out.Error(out.ErrorDetail("invalid_request_error", "invalid_value", "wrong", "session.x", "mine_1")),
    out.Error(out.ErrorDetail("server_error", None, "broken")),
    out.SessionCreated("sess_1", 1_800_000_000, SessionConfig()),
    out.SessionUpdated("sess_1", 1_800_000_000, SessionConfig(instructions="Sei kurz.")),
    out.SessionUpdated("sess_1", 1_800_000_000, EVERYTHING),
    out.SessionCreated("sess_1", 1_800_000_000, LISTENING),
    out.SessionUpdated("sess_1", 1_800_000_000, LISTENING),
    out.SpeechStarted(100, U),
    out.SpeechStopped(900, U),
    out.InputCommitted(U, None),
    out.InputCommitted(U, A),
    out.InputCleared(),
    out.TimeoutTriggered(9_000, 15_000, U),
    *(out.ItemAdded(item, None) for item in ITEMS),
    *(out.ItemDone(item, "item_before") for item in ITEMS),
    *(out.ItemRetrieved(item) for item in ITEMS),
    out.ItemRetrieved(USER_AUDIO, b"\x01\x02" * 480),
    out.ItemDeleted(U),
    out.ItemTruncated(A, 0, 1500),
    out.TranscriptionDelta(U, 0, "hel"),
    out.TranscriptionCompleted(U, 0, "hello", out.DurationUsage(1.25)),
    out.TranscriptionFailed(U, 0, out.TranscriptionError("server_error", "asr_failed", "no")),
    out.ResponseCreated(response("in_progress", output=[], usage=None, metadata=None)),
    out.ResponseDone(response()),
    out.ResponseDone(response("cancelled", status_details=out.StatusDetails("cancelled", "turn_detected"))),
    out.ResponseDone(
        response("incomplete", status_details=out.StatusDetails("incomplete", "max_output_tokens"))
    ),
    out.ResponseDone(response("failed", status_details=FAILED, conversation_id=None, max_output_tokens=100)),
    out.RateLimitsUpdated([out.RateLimit("requests", 100, 99, 0.6), out.RateLimit("tokens", 1, 0, 60.0)]),
    out.OutputItemAdded(R, 0, OPENING),
    out.OutputItemDone(R, 1, CALL),
    out.ContentPartAdded(R, A, 0, 0, out.AudioPart("")),
    out.ContentPartAdded(R, A, 0, 0, out.TextPart("")),
    out.ContentPartDone(R, A, 0, 0, out.AudioPart("Hello.")),
    out.OutputTextDelta(R, A, 0, 0, "He"),
    out.OutputTextDone(R, A, 0, 0, "Hello."),
    out.AudioTranscriptDelta(R, A, 0, 0, "He"),
    out.AudioTranscriptDone(R, A, 0, 0, "Hello."),
    out.OutputAudioDelta(R, A, 0, 0, b"\x01\x02" * 480),
    out.OutputAudioDone(R, A, 0, 0),
    out.FunctionArgumentsDelta(R, F, 1, "call_1", '{"x'),
    out.FunctionArgumentsDone(R, F, 1, "call_1", "look_up", '{"x":1}'),
]
