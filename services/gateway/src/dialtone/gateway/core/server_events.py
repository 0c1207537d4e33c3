"""What a call tells its client: the server events of the GA Realtime protocol.

The tag of each is its GA `type`. Events without a place in the protocol begin with `dialtone.`;
a dialect sends what it has a form for and leaves the rest out. Dialects add `event_id`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .items import Item
from .session import AudioFormat, SessionConfig


class ServerEvent(msgspec.Struct, tag_field="type"):
    pass


class ErrorDetail(msgspec.Struct):
    type: str  # "invalid_request_error" or "server_error"
    code: str | None
    message: str
    param: str | None = None
    event_id: str | None = None  # the client's event that it is about


class Error(ServerEvent, tag="error"):
    error: ErrorDetail


class SessionCreated(ServerEvent, tag="session.created"):
    session_id: str
    expires_at: int  # unix seconds
    config: SessionConfig


class SessionUpdated(ServerEvent, tag="session.updated"):
    session_id: str
    expires_at: int
    config: SessionConfig


# --- input audio ---


class SpeechStarted(ServerEvent, tag="input_audio_buffer.speech_started"):
    audio_start_ms: int
    item_id: str


class SpeechStopped(ServerEvent, tag="input_audio_buffer.speech_stopped"):
    audio_end_ms: int
    item_id: str


class InputCommitted(ServerEvent, tag="input_audio_buffer.committed"):
    item_id: str
    previous_item_id: str | None


class InputCleared(ServerEvent, tag="input_audio_buffer.cleared"):
    pass


class TimeoutTriggered(ServerEvent, tag="input_audio_buffer.timeout_triggered"):
    """Nothing was said for `idle_timeout_ms` after an answer; the silence becomes the item."""

    audio_start_ms: int
    audio_end_ms: int
    item_id: str


# --- conversation ---


class ItemAdded(ServerEvent, tag="conversation.item.added"):
    item: Item
    previous_item_id: str | None


class ItemDone(ServerEvent, tag="conversation.item.done"):
    item: Item
    previous_item_id: str | None


class ItemRetrieved(ServerEvent, tag="conversation.item.retrieved"):
    """`audio` is that of the item's `input_audio` part in the session's input format, or None when it
    is not there any more; the dialect puts it into the part."""

    item: Item
    audio: bytes | None = None


class ItemDeleted(ServerEvent, tag="conversation.item.deleted"):
    item_id: str


class ItemTruncated(ServerEvent, tag="conversation.item.truncated"):
    item_id: str
    content_index: int
    audio_end_ms: int


class TranscriptionDelta(ServerEvent, tag="conversation.item.input_audio_transcription.delta"):
    item_id: str
    content_index: int
    delta: str


class DurationUsage(msgspec.Struct):
    seconds: float
    type: str = "duration"


class TranscriptionCompleted(ServerEvent, tag="conversation.item.input_audio_transcription.completed"):
    item_id: str
    content_index: int
    transcript: str
    usage: DurationUsage


class TranscriptionError(msgspec.Struct):
    type: str
    code: str
    message: str


class TranscriptionFailed(ServerEvent, tag="conversation.item.input_audio_transcription.failed"):
    item_id: str
    content_index: int
    error: TranscriptionError


# --- responses ---


class CachedTokens(msgspec.Struct):
    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0


class InputTokens(msgspec.Struct):
    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0
    cached_tokens_details: CachedTokens = msgspec.field(default_factory=CachedTokens)


class OutputTokens(msgspec.Struct):
    text_tokens: int = 0
    audio_tokens: int = 0


class Usage(msgspec.Struct):
    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_token_details: InputTokens = msgspec.field(default_factory=InputTokens)
    output_token_details: OutputTokens = msgspec.field(default_factory=OutputTokens)


class StatusError(msgspec.Struct):
    type: str
    code: str
    message: str


class StatusDetails(msgspec.Struct, omit_defaults=True):
    type: Literal["cancelled", "incomplete", "failed"]
    reason: str | None = None
    error: StatusError | None = None


class ResponseAudioOutput(msgspec.Struct):
    format: AudioFormat
    voice: str


class ResponseAudio(msgspec.Struct):
    output: ResponseAudioOutput


class Response(msgspec.Struct):
    """A response as events carry it; a snapshot, never changed after it was sent."""

    id: str
    status: Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]
    status_details: StatusDetails | None
    output: list[Item]
    conversation_id: str | None
    output_modalities: list[Literal["audio", "text"]]
    max_output_tokens: int | Literal["inf"]
    audio: ResponseAudio
    usage: Usage | None
    metadata: dict[str, str] | None
    temperature: float | None = None  # of the beta protocol only
    object: str = "realtime.response"


class ResponseCreated(ServerEvent, tag="response.created"):
    response: Response


class ResponseDone(ServerEvent, tag="response.done"):
    response: Response


class RateLimit(msgspec.Struct):
    name: Literal["requests", "tokens"]
    limit: int
    remaining: int
    reset_seconds: float


class RateLimitsUpdated(ServerEvent, tag="rate_limits.updated"):
    rate_limits: list[RateLimit]


class OutputItemAdded(ServerEvent, tag="response.output_item.added"):
    response_id: str
    output_index: int
    item: Item


class OutputItemDone(ServerEvent, tag="response.output_item.done"):
    response_id: str
    output_index: int
    item: Item


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class AudioPart(msgspec.Struct, tag_field="type", tag="audio"):
    transcript: str


class PartEvent(ServerEvent):
    response_id: str
    item_id: str
    output_index: int
    content_index: int


class ContentPartAdded(PartEvent, tag="response.content_part.added"):
    part: TextPart | AudioPart


class ContentPartDone(PartEvent, tag="response.content_part.done"):
    part: TextPart | AudioPart


class OutputTextDelta(PartEvent, tag="response.output_text.delta"):
    delta: str


class OutputTextDone(PartEvent, tag="response.output_text.done"):
    text: str


class AudioTranscriptDelta(PartEvent, tag="response.output_audio_transcript.delta"):
    delta: str


class AudioTranscriptDone(PartEvent, tag="response.output_audio_transcript.done"):
    transcript: str


class OutputAudioDelta(PartEvent, tag="response.output_audio.delta"):
    delta: bytes  # in the response's output format; the dialect encodes it


class OutputAudioDone(PartEvent, tag="response.output_audio.done"):
    pass


class FunctionArgumentsDelta(ServerEvent, tag="response.function_call_arguments.delta"):
    response_id: str
    item_id: str
    output_index: int
    call_id: str
    delta: str


class FunctionArgumentsDone(ServerEvent, tag="response.function_call_arguments.done"):
    response_id: str
    item_id: str
    output_index: int
    call_id: str
    name: str
    arguments: str


# --- beyond the protocol ---


class SentenceSpoken(ServerEvent, tag="dialtone.sentence.spoken"):
    """All audio of a sentence has been sent (or, without audio, its text was)."""

    response_id: str
    index: int
    text: str


class PartialTranscript(ServerEvent, tag="dialtone.transcription.partial"):
    """What the user seems to be saying, for a client that asked; may change with the next one."""

    item_id: str
    transcript: str


class TurnTiming(msgspec.Struct):
    """Where the time of a turn went, in ms; a stage that did not take part is None."""

    endpointing_ms: float | None = None  # last voiced sample to the endpoint's being known here
    asr_ms: float | None = None  # endpoint to the final transcript
    llm_first_token_ms: float | None = None  # turn submitted to its first token
    first_sentence_ms: float | None = None  # first token to the first speakable piece
    tts_first_chunk_ms: float | None = None  # sentence submitted to its first audio
    total_ms: float | None = None  # last voiced sample to the first audio sent


class TurnMetrics(ServerEvent, tag="dialtone.turn.metrics"):
    """After each response; for the operator's metrics always, for the client when it asked."""

    response_id: str
    item_id: str | None  # the user's item that was answered
    metrics: TurnTiming
    trace_id: str = ""  # of the turn's trace, where traces are kept
    notices: list[str] = []  # what the client should know, such as that another voice spoke
    # Who did the work of a stage, where it says so:
    # {"asr": "whisper", "llm": "openai", "model": "gpt-5-mini", "tts": "piper", "voice": "joe"}
    backends: dict[str, str] = {}
