"""Puts the service together from its settings."""

from dialtone.llm.backend import ChatBackend
from dialtone.llm.backends.local import LocalBackend
from dialtone.llm.backends.minimax import MiniMaxBackend
from dialtone.llm.backends.openai import OpenAiBackend
from dialtone.llm.backends.simulated import SimulatedBackend
from dialtone.llm.handler import TurnHandler
from dialtone.llm.llama_server import LlamaOptions
from dialtone.llm.model_entry import ModelEntry
from dialtone.llm.registry import ModelRegistry, lines_of
from dialtone.llm.settings import LlmSettings
from dialtone.worker import Loaded

_SLOTS = {"simulated": 256, "openai": 64, "minimax": 64}


def make_registry(settings: LlmSettings) -> ModelRegistry:
    """Make every backend, loaded or not. Raises BadRegistry."""

    def build(entry: ModelEntry) -> ChatBackend:
        match entry.backend:
            case "minimax":
                return MiniMaxBackend(entry)
            case "openai":
                return OpenAiBackend(entry)
            case "simulated":
                return SimulatedBackend()
            case "local":
                return _local(entry, settings)

    lines, default = lines_of(settings)
    return ModelRegistry(lines, default, build)


def _local(entry: ModelEntry, settings: LlmSettings) -> ChatBackend:
    options = LlamaOptions(
        threads=settings.llm_threads,
        spin=settings.llm_spin,
        parallel=settings.llm_parallel,
        context=settings.llm_context,
        batch=settings.llm_batch,
        cache_mib=settings.llm_cache_mib,
    )
    return LocalBackend(
        entry, options, models_dir=settings.models_dir, warmup_instructions=settings.llm_warmup_instructions
    )


async def load(settings: LlmSettings) -> Loaded:
    """Load the models; returns when a turn can be answered at full speed."""
    registry = make_registry(settings)
    try:
        await registry.load()
    except BaseException:
        await registry.close()
        raise
    slots = settings.llm_slots or _SLOTS.get(registry.default[0].backend.name, settings.llm_parallel)
    local = [backend for backend in registry.backends if isinstance(backend, LocalBackend)]
    models = [model for backend in local for model in backend.models]
    return Loaded(
        handler=TurnHandler(registry),
        slots=slots,
        close=registry.close,
        models=models,
        offers=registry.offers,
    )
