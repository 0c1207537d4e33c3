"""Asks every vendor's backend of all three stages once at each URL in argv, with the key that VENDOR_KEY or
the file of VENDOR_KEY_FILE holds, and tells what can be told of it: the failure, the entry, the log.

Run by test_vendor_keys.py, at the most talkative level of the log.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from dialtone.bus import WorkError
from dialtone.llm.backends.minimax import MiniMaxBackend
from dialtone.llm.backends.openai import OpenAiBackend
from dialtone.llm.kinds import KINDS
from dialtone.llm.model_entry import ModelEntry
from dialtone.telemetry import configure_logging
from dialtone.tts.engines.base import SpeechFailed, Style
from dialtone.tts.engines.entry import VendorVoice
from dialtone.tts.engines.kinds import VENDORS as VOICES
from dialtone.vad_asr.asr.backend import Question
from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.asr.kinds import VENDORS as RECOGNISERS
from dialtone.vad_asr.asr.pool import Urgency
from tests.llm.conversations import turn
from tests.vad_asr.backends.conftest import passage

KEY_ENV = "VENDOR_KEY"
MODELS: dict[str, type[OpenAiBackend] | type[MiniMaxBackend]] = {
    kind.name: kind for kind in (OpenAiBackend, MiniMaxBackend)
}
BACKENDS = [
    *(f"llm {name}" for name in KINDS if name not in ("local", "simulated")),
    *(f"asr {name}" for name in RECOGNISERS),
    *(f"tts {name}" for name in VOICES),
]


async def _asked(answer: AsyncGenerator[Any, None]) -> None:
    async with aclosing(answer) as events:
        async for event in events:
            print("it said", event)


async def _ask(stage: str, name: str, url: str) -> None:
    entry: Any
    common = {"base_url": url, "api_key_env": KEY_ENV, "model": "m"}
    if stage == "llm":
        entry = ModelEntry.model_validate({**common, "backend": name, "limits": {"retries": 0}})
        model = MODELS[name](entry)
        print(repr(entry), repr(model))
        try:
            await _asked(model.stream(turn("Hi")))
        finally:
            await model.close()
    elif stage == "asr":
        entry = AsrEntry.model_validate({**common, "backend": name, "limits": {"answer_s": 3}})
        recogniser = RECOGNISERS[name](entry)
        print(repr(entry), repr(recogniser))
        listener = recogniser.listen()
        try:
            await _asked(listener.hear(Question(passage(), Urgency.FINAL, "m")))
        finally:
            await listener.close()
            await recogniser.close()
    else:
        entry = VendorVoice.model_validate({**common, "engine": name, "voice": "v", "language": "*"})
        voice = VOICES[name](entry)
        print(repr(entry), repr(voice))
        try:
            await _asked(voice.speak("Hello there.", Style()))
        finally:
            await voice.close()


async def _all(urls: list[str]) -> None:
    for url, backend in itertools.product(urls, BACKENDS):
        stage, name = backend.split()
        try:
            async with asyncio.timeout(15):
                await _ask(stage, name, f"{url}/{stage}-{name}")
        except (WorkError, SpeechFailed) as failure:
            print(backend, repr(failure), vars(failure))
        else:
            print(backend, "answered")


if __name__ == "__main__":
    configure_logging("test", level="debug")
    asyncio.run(_all(sys.argv[1:]))
