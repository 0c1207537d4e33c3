"""Calls to a gateway, answered by a worker that has the real engine: each as if it were alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from tests.fixtures.gateway import running_gateway
from tests.fixtures.moshi_workers import moshi_workers
from tests.integration.caller import Caller, calling
from tests.moshi.calls import voice

_FRAMES = 40
_SAID = 30 * 1920 * 2
"""Bytes of what is said to 30 frames: the random model talks all the time, but for the first steps."""


async def _called(url: str, number: int) -> tuple[bytes, str]:
    """The first sound and words that a call with this voice is told."""
    async with calling(url, model="moshi") as caller:
        audio = (voice(number, _FRAMES) * 32767).astype("<i2").tobytes()
        for at in range(0, len(audio), 960):
            await caller.send_audio(audio[at : at + 960])
        await _heard(caller)
        words = "".join(event.delta for event in caller.of("response.output_audio_transcript.delta"))
        return caller.audio()[:_SAID], words


async def _heard(caller: Caller) -> None:
    async with asyncio.timeout(120):
        while len(caller.audio()) < _SAID:
            await caller.until("response.output_audio.delta", within_s=60)


async def test_two_calls_at_once_are_told_what_each_is_told_alone(nano: Path, tmp_path: Path) -> None:
    settings = {
        "MOSHI_SFT_PATH": str(nano),
        "MOSHI_SLOTS": "2",
        "MOSHI_TEMPERATURE": "0",
        "MOSHI_TEXT_TEMPERATURE": "0",
    }
    with running_gateway(tmp_path, MOSHI_VARIANTS="sft") as gateway:
        async with moshi_workers(gateway, 1, **settings):
            alone = [await _called(gateway.url, number) for number in (1, 2)]
            together = await asyncio.gather(*(_called(gateway.url, number) for number in (1, 2)))
    for (sound, words), (sound_beside, words_beside) in zip(alone, together, strict=True):
        assert sound_beside == sound
        assert np.abs(np.frombuffer(sound, dtype="<i2")).max() > 300
        assert words
        shorter = min(len(words), len(words_beside))
        assert words[:shorter] == words_beside[:shorter]
    assert alone[0] != alone[1]
