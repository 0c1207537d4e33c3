"""The engines of vendors, by the names that voices of the registry give."""

from __future__ import annotations

from collections.abc import Mapping

from dialtone.tts.engines.minimax import MiniMaxEngine
from dialtone.tts.engines.openai import OpenAiEngine

VENDORS: Mapping[str, type[OpenAiEngine] | type[MiniMaxEngine]] = {
    engine.name: engine for engine in (OpenAiEngine, MiniMaxEngine)
}
