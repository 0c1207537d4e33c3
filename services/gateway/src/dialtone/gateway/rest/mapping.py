"""Between the REST form of a session and the configuration and items of the call core."""

from __future__ import annotations

from typing import Any

import msgspec

from dialtone.gateway.core import session as core
from dialtone.gateway.core.chat_messages import text_of
from dialtone.gateway.core.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputText,
    Item,
    MessageItem,
    OutputText,
    SessionRecord,
)
from dialtone.gateway.core.moshi_limits import blank_session, within_moshi
from dialtone.gateway.ids import new_id
from dialtone.gateway.stores import SessionSummary

from . import schemas

_replace = msgspec.structs.replace


def new_record(
    wanted: schemas.NewSession, *, tenant: str, now: float, default_instructions: str
) -> SessionRecord:
    """A session with what was asked for and the defaults of the REST interface; `now` in unix seconds."""
    messages = list(wanted.messages)
    blank = blank_session(wanted.llm.model, default_instructions)
    config = apply_settings(blank, wanted, all_fields=blank.moshi is None)
    if messages and messages[0].role == "system" and "instructions" not in wanted.model_fields_set:
        config = _replace(config, instructions=messages.pop(0).content)
    return SessionRecord(new_id("sess"), tenant, now, config, [_item(message) for message in messages])


def apply_settings(
    config: core.SessionConfig, wanted: schemas.SessionSettings, *, all_fields: bool = False
) -> core.SessionConfig:
    """`config` with the settings that the client named, or with `all_fields` with the rest as well."""

    def given(section: schemas.SessionSettings | Any) -> set[str]:
        return set(type(section).model_fields) if all_fields else section.model_fields_set

    sections = given(wanted)
    extra: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    audio_in: dict[str, Any] = {}
    audio_out: dict[str, Any] = {}

    if "instructions" in wanted.model_fields_set:  # their default is the operator's, and no schema knows it
        changes["instructions"] = wanted.instructions
    if "llm" in sections:
        named = given(wanted.llm)
        extra |= {name: getattr(wanted.llm, name) for name in named & {"temperature", "top_p"}}
        if "model" in named:
            changes["model"] = wanted.llm.model
        if "max_tokens" in named:
            changes["max_output_tokens"] = wanted.llm.max_tokens or "inf"
    if "tts" in sections:
        named = given(wanted.tts)
        extra |= {name: getattr(wanted.tts, name) for name in named - {"voice", "speaker_id"}}
        if "voice" in named:
            audio_out["voice"] = wanted.tts.voice or core.AudioOutput().voice
        if "speaker_id" in named:
            extra["speaker_id"] = None if wanted.tts.speaker_id is None else str(wanted.tts.speaker_id)
    if "turn_detection" in sections:
        audio_in["turn_detection"] = _turn_detection(wanted.turn_detection)
        if wanted.turn_detection is not None:
            extra["vad_engine"] = wanted.turn_detection.engine
            extra["vad_aggressiveness"] = wanted.turn_detection.aggressiveness
            extra["candidate_pause_ms"] = wanted.turn_detection.candidate_pause_ms
    if "transcription" in sections:
        before = config.audio.input.transcription or core.Transcription()
        asked = {name: getattr(wanted.transcription, name) for name in given(wanted.transcription)}
        audio_in["transcription"] = _replace(before, **asked)
    if "audio" in sections:
        named = given(wanted.audio)
        if "input_rate" in named:
            audio_in["format"] = core.AudioFormat("audio/pcm", wanted.audio.input_rate)
        output_named = given(wanted.audio.output) if "output" in named else set()
        if "rate" in output_named:
            audio_out["format"] = core.AudioFormat("audio/pcm", wanted.audio.output.rate)
        if "container" in output_named:
            extra["container"] = wanted.audio.output.container

    audio = _replace(
        config.audio,
        input=_replace(config.audio.input, **audio_in),
        output=_replace(config.audio.output, **audio_out),
    )
    return _replace(config, **changes, audio=audio, dialtone=_replace(config.dialtone, **extra))


def changed_alone(config: core.SessionConfig, wanted: schemas.SessionSettings) -> core.SessionConfig:
    """What `wanted` makes of a session that had nothing which Moshi cannot have: what else the session holds
    was not asked for now, and its call is told."""
    return apply_settings(within_moshi(config)[0], wanted)


def session_out(record: SessionRecord) -> schemas.SessionOut:
    return schemas.SessionOut(
        id=record.id,
        created_at=int(record.created_at),
        messages=[_message_out(item) for item in record.items],
        **_settings_out(record.config),
    )


def summary_out(summary: SessionSummary) -> schemas.SessionSummaryOut:
    return schemas.SessionSummaryOut(
        id=summary.id, created_at=int(summary.created_at), **_settings_out(summary.config)
    )


def _turn_detection(wanted: schemas.TurnDetection | None) -> core.TurnDetection | None:
    if wanted is None:
        return None
    if wanted.type == "semantic_vad":
        return core.SemanticVad(wanted.eagerness, wanted.create_response, wanted.interrupt_response)
    return core.ServerVad(
        wanted.threshold,
        wanted.prefix_padding_ms,
        wanted.silence_duration_ms,
        wanted.idle_timeout_ms,
        wanted.create_response,
        wanted.interrupt_response,
    )


def _item(message: schemas.NewMessage) -> Item:
    part = OutputText(message.content) if message.role == "assistant" else InputText(message.content)
    return MessageItem(id=new_id("item"), role=message.role, content=[part])


def _settings_out(config: core.SessionConfig) -> dict[str, Any]:
    # Not validated: a session of another protocol may hold what this one would not take.
    extra, audio = config.dialtone, config.audio
    limit = config.max_output_tokens
    transcription = audio.input.transcription or core.Transcription()
    return {
        "type": config.type,
        "instructions": config.instructions,
        "llm": schemas.LlmSettings.model_construct(
            model=config.model,
            temperature=extra.temperature,
            top_p=extra.top_p,
            max_tokens=None if limit == "inf" else limit,
        ),
        "tts": schemas.TtsSettings.model_construct(
            voice=audio.output.voice,
            language=extra.language,
            speaker_id=extra.speaker_id,
            noise_scale=extra.noise_scale,
            noise_scale_w=extra.noise_scale_w,
            length_scale=extra.length_scale,
        ),
        "turn_detection": _turn_detection_out(config),
        "transcription": schemas.Transcription.model_construct(**msgspec.structs.asdict(transcription)),
        "audio": schemas.AudioSettings.model_construct(
            input_rate=audio.input.format.sample_rate,
            output=schemas.AudioOutput.model_construct(
                rate=audio.output.format.sample_rate, container=extra.container
            ),
        ),
    }


def _turn_detection_out(config: core.SessionConfig) -> schemas.TurnDetection | None:
    detection = config.audio.input.turn_detection
    if detection is None:
        return None
    kind = "semantic_vad" if isinstance(detection, core.SemanticVad) else "server_vad"
    return schemas.TurnDetection.model_construct(
        type=kind,
        engine=config.dialtone.vad_engine,
        aggressiveness=config.dialtone.vad_aggressiveness,
        candidate_pause_ms=config.dialtone.candidate_pause_ms,
        **msgspec.structs.asdict(detection),
    )


def _message_out(item: Item) -> schemas.MessageOut:
    if isinstance(item, MessageItem):
        return schemas.MessageOut(id=item.id, role=item.role, content=text_of(item), status=item.status)
    if isinstance(item, FunctionCallItem):
        function = schemas.FunctionOut(name=item.name, arguments=item.arguments)
        calls = [schemas.ToolCallOut(id=item.call_id, function=function)]
        return schemas.MessageOut(
            id=item.id, role="assistant", content=None, status=item.status, tool_calls=calls
        )
    assert isinstance(item, FunctionCallOutputItem)
    return schemas.MessageOut(
        id=item.id, role="tool", content=item.output, status=item.status, tool_call_id=item.call_id
    )
