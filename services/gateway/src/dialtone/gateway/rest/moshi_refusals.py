"""What a session of Moshi's cannot have, told to who asks for it rather than to its call."""

from __future__ import annotations

from dialtone.gateway.core.field_rules import FieldError
from dialtone.gateway.core.moshi_limits import at_opening
from dialtone.gateway.core.session import SessionConfig

from .errors import ApiError

_ROOT = "session."
_DETECTION = "audio.input.turn_detection"
# Fields of a session by the names that they have here; those that are not among them have the same.
_NAMES = {
    "max_output_tokens": "llm.max_tokens",
    "dialtone.temperature": "llm.temperature",
    "dialtone.top_p": "llm.top_p",
    "audio.output.voice": "tts.voice",
    "dialtone.language": "tts.language",
    "dialtone.speaker_id": "tts.speaker_id",
    "dialtone.noise_scale": "tts.noise_scale",
    "dialtone.noise_scale_w": "tts.noise_scale_w",
    "dialtone.length_scale": "tts.length_scale",
    "dialtone.candidate_pause_ms": "turn_detection.candidate_pause_ms",
    f"{_DETECTION}.create_response": "turn_detection.create_response",
    f"{_DETECTION}.idle_timeout_ms": "turn_detection.idle_timeout_ms",
}


def refuse_unable(config: SessionConfig) -> None:
    """Raises ApiError 422, `not_supported_by_model`, for a session of Moshi's in which anything was asked for
    that its call would be told it cannot have. Any other passes."""
    if config.moshi is None:
        return
    _, unable = at_opening(config)
    if unable:
        wrong = [_as_named_here(error) for error in unable]
        message = " ".join(error.message for error in wrong)
        raise ApiError(422, wrong[0].code, message, param=wrong[0].param)


def _as_named_here(error: FieldError) -> FieldError:
    path = error.param.removeprefix(_ROOT)
    name = _NAMES.get(path, path)
    return FieldError(name, error.code, error.message.replace(f"'{error.param}'", f"'{name}'"))
