"""Has a stretch of text spoken by one voice, and where that cannot, by the next of its list."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from dataclasses import replace

from dialtone.audio import Float32
from dialtone.fence import ModelLost
from dialtone.tts.engines.base import SpeechFailed, Style, UnknownSpeaker
from dialtone.tts.sound import sound, sound_rate
from dialtone.tts.voices import Part, Voice
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.lists import first_that_can

# What of a sentence it is about.
_FIELDS = {
    "invalid_voice": "voice",
    "text_too_long": "text",
    "unspeakable_text": "text",
    "context_length_exceeded": "text",
    "content_filter": "text",
}


async def spoken(
    part: Part, text: str, style: Style, *, block_timeout_s: float
) -> AsyncGenerator[tuple[Voice, Float32], None]:
    """Yield who speaks and the blocks of it, float32 [n]: all by one voice, once there is audio.

    Raises what the last voice failed with: UpstreamFailure or UnknownSpeaker, whose message begins with the
    backend and ends with the field it is about, SpeechFailed, whose begins with the backend, or ModelLost.
    That a model is gone for good its process tells the worker, which leaves, whoever speaks meanwhile.
    """
    others_style = replace(style, speaker="")  # it is a speaker of the voice that was asked for
    blocks = first_that_can(
        (part.voice, *part.others),
        lambda voice: _blocks(voice, text, style if voice is part.voice else others_style, block_timeout_s),
        binds=lambda _: True,  # it may have been heard, and no other voice is to go on in mid-sentence
        passing_on=(SpeechFailed, UnknownSpeaker, ModelLost),
        told=_told,
        waits=True,
    )
    async with aclosing(blocks) as answer:
        async for voice, block in answer:
            yield voice, block


async def _blocks(
    voice: Voice, text: str, style: Style, block_timeout_s: float
) -> AsyncGenerator[Float32, None]:
    try:
        sound_rate(voice.engine)
        with voice.breaker.request() if voice.breaker is not None else nullcontext():
            async with aclosing(sound(voice.engine, text, style, block_timeout_s=block_timeout_s)) as blocks:
                async for block in blocks:
                    if len(block):
                        if voice.breaker is not None:
                            voice.breaker.worked()
                        yield block
    except UnknownSpeaker as error:
        raise UnknownSpeaker(f"{voice.backend}: {error} (speaker_id)") from error
    except SpeechFailed as error:
        raise SpeechFailed(f"{voice.backend}: {error}") from error


def _told(voice: Voice, failure: UpstreamFailure) -> UpstreamFailure:
    """The failure as callers and clients know it."""
    return UpstreamFailure(failure.code, failure.told(voice.backend, _FIELDS), retryable=failure.may_pass)
