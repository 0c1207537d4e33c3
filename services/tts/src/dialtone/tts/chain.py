"""Has a stretch of text spoken by one voice, and where that cannot, by the next of its list."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from dataclasses import replace

from dialtone.audio import Float32
from dialtone.telemetry import get_logger
from dialtone.tts import metrics
from dialtone.tts.engines.base import SpeechFailed, Style, UnknownSpeaker
from dialtone.tts.sound import sound, sound_rate
from dialtone.tts.voices import Part, Voice
from dialtone.vendors.failures import UpstreamFailure

log = get_logger(__name__)

_JITTER_S = (0.05, 0.25)  # so that sentences that were refused together do not come back together
_FIELDS = {
    "invalid_api_key": "api_key",
    "model_not_found": "model",
    "invalid_voice": "voice",
    "text_too_long": "text",
    "unspeakable_text": "text",
    "context_length_exceeded": "text",
    "bad_upstream": "base_url",
    "upstream_unreachable": "base_url",
}
# Another try will not help, here or a moment later.
_REFUSALS = {
    "bad_upstream", "context_length_exceeded", "insufficient_quota", "invalid_api_key", "invalid_request",
    "invalid_voice", "model_not_found", "text_too_long", "unspeakable_text",
}  # fmt: skip


async def spoken(
    part: Part, text: str, style: Style, *, block_timeout_s: float
) -> AsyncGenerator[tuple[Voice, Float32], None]:
    """Yield who speaks and the blocks of it, float32 [n]: all by one voice, once there is audio.

    Raises what the last voice failed with: UpstreamFailure or UnknownSpeaker, whose message begins with the
    backend and ends with the field it is about, SpeechFailed, whose begins with the backend, or as `sound`.
    """
    voices = (part.voice, *part.others)
    waited = False
    for voice in voices:
        is_last = voice is voices[-1]
        if voice.breaker is not None and voice.breaker.refuses and not is_last:
            metrics.PASSED_OVER.labels(voice.backend).inc()
            continue
        begun = False
        while True:
            try:
                async with aclosing(_blocks(voice, text, style, block_timeout_s)) as blocks:
                    async for block in blocks:
                        if len(block):
                            begun = True
                            yield voice, block
                return
            except UpstreamFailure as failure:
                metrics.FAILURES.labels(voice.backend, failure.code).inc()
                level = log.error if failure.code == "invalid_api_key" else log.warning
                level("voice failed", voice=voice.name, code=failure.code, reason=failure.message)
                log.debug("what the voice's server said", detail=failure.detail)
                if not begun and not is_last:
                    break
                if begun or waited or not failure.after_s:
                    raise _told(voice, failure) from failure
                waited = True
                await asyncio.sleep(failure.after_s + random.uniform(*_JITTER_S))
            except UnknownSpeaker as error:
                raise UnknownSpeaker(f"{voice.backend}: {error} (speaker_id)") from error
            except SpeechFailed as error:
                if begun or is_last:
                    raise SpeechFailed(f"{voice.backend}: {error}") from error
                log.warning("voice failed", voice=voice.name, reason=str(error))
                break
        style = replace(style, speaker="")  # it was a speaker of the voice that was asked for


async def _blocks(
    voice: Voice, text: str, style: Style, block_timeout_s: float
) -> AsyncGenerator[Float32, None]:
    sound_rate(voice.engine)
    with voice.breaker.request() if voice.breaker is not None else nullcontext():
        async with aclosing(sound(voice.engine, text, style, block_timeout_s=block_timeout_s)) as blocks:
            async for block in blocks:
                if voice.breaker is not None:
                    voice.breaker.worked()
                yield block


def _told(voice: Voice, failure: UpstreamFailure) -> UpstreamFailure:
    """The failure as callers and clients know it: with the backend, and the field it is about."""
    field = _FIELDS.get(failure.code)
    message = f"{voice.backend}: {failure.message}" + (f" ({field})" if field else "")
    return UpstreamFailure(failure.code, message, retryable=failure.code not in _REFUSALS)
