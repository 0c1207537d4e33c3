"""What an engine gives, once it is seen to be sound: what a broken one gives must not be played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from dialtone.audio import Float32
from dialtone.fence import ModelLost
from dialtone.telemetry import get_logger
from dialtone.tts.engines.base import Engine, SpeechFailed, Style, UnknownSpeaker
from dialtone.vendors.failures import UpstreamFailure

log = get_logger(__name__)

_RATES = range(4_000, 192_001)  # Hz
_LONGEST_CHARACTER_S = 1.0  # numbers are words by now, and the slowest voices need a third of that
_LONGEST_PAUSE_S = 10.0


def sound_rate(engine: Engine) -> int:
    """Return the rate of an engine's audio in Hz. Raises SpeechFailed where it is no rate of any."""
    if engine.sample_rate not in _RATES:
        raise SpeechFailed(f"audio of {engine.sample_rate} Hz")
    return engine.sample_rate


async def sound(
    engine: Engine, text: str, style: Style, *, block_timeout_s: float
) -> AsyncGenerator[Float32, None]:
    """Yield an engine's blocks, float32 [n], of which each comes within `block_timeout_s`.

    SpeechFailed where the engine raises, stops, has nothing to say of a text, or gives what is no audio: not
    a number, or without end. Raises UnknownSpeaker, ModelLost and UpstreamFailure as the engine
    does.
    """
    stretch = (1.0 if style.length_scale is None else style.length_scale) / style.speed
    left = round(
        (len(text) * _LONGEST_CHARACTER_S * max(stretch, 1.0) + _LONGEST_PAUSE_S) * engine.sample_rate
    )
    silent = True
    async with aclosing(engine.speak(text, style)) as blocks:
        while (block := await _next(blocks, block_timeout_s)) is not None:
            if not np.isfinite(block).all():
                raise SpeechFailed("audio that is not a number")
            left -= len(block)
            if left < 0:
                raise SpeechFailed("audio without end")
            silent = silent and not len(block)
            yield block
    if silent:
        raise SpeechFailed("no audio")


async def _next(blocks: AsyncGenerator[Float32, None], timeout_s: float) -> Float32 | None:
    try:
        async with asyncio.timeout(timeout_s):
            return await anext(blocks, None)
    except TimeoutError:
        raise SpeechFailed(f"no audio for {timeout_s:g} s") from None
    except (SpeechFailed, UnknownSpeaker, ModelLost, UpstreamFailure):
        raise
    except Exception as error:
        log.error("a voice broke", exc_info=error)
        raise SpeechFailed(type(error).__name__) from error
