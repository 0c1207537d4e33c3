"""The default local model, where it is in the cache."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dialtone.llm.backends.local import LocalBackend
from dialtone.llm.limits import Limits
from dialtone.llm.llama_server import LlamaOptions
from dialtone.llm.model_entry import ModelEntry
from dialtone.models import ModelMissing, locate


@asynccontextmanager
async def local_backend(
    model: str = "qwen2.5-coder-0.5b", *, context: int = 2048, parallel: int = 2, hang_s: float = 10.0
) -> AsyncIterator[LocalBackend]:
    try:
        locate(model)
    except ModelMissing as missing:
        pytest.skip(str(missing))
    options = LlamaOptions(
        threads=2, spin=3000, parallel=parallel, context=context, batch=64, cache_mib=64, hang_s=hang_s
    )
    limits = Limits(first_token_s=60.0, inter_token_s=30.0)
    entry = ModelEntry(backend="local", model=model, temperature=0.2, limits=limits)
    backend = LocalBackend(entry, options, models_dir=None, warmup_instructions="You answer in one sentence.")
    await backend.load()
    try:
        yield backend
    finally:
        await backend.close()
