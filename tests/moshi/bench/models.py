"""The models that are measured: small ones from a checkpoint, the real size with random weights.

How long a step takes does not depend on what the weights are. Nothing but torch, numpy and the package is
imported here, so that the steps can be measured on a machine that has little else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from moshi.models import LMModel, MimiModel, loaders
from moshi.modules.transformer import set_attention_context
from torch import nn

from tests.moshi.checkpoints import made

FULL = "full"


@dataclass(frozen=True, slots=True)
class Models:
    """On their device."""

    mimi: MimiModel
    lm: LMModel

    def look_back(self, context: int) -> None:
        """Let the language model's cache be of so many steps from the next batch on."""
        set_attention_context(self.lm.transformer, context)
        self.lm.context = context

    def stop_streaming(self) -> None:
        """Give back what a batch that could not begin has left behind."""
        for part in (self.mimi, self.lm):
            part._stop_streaming()


def build(size: str, device: torch.device, dtype: torch.dtype) -> Models:
    """`tiny` and `nano` are those of the tests, `full` is the 7B model."""
    with torch.no_grad():
        if size == FULL:
            mimi = loaders.get_mimi(None, device=device)
            return Models(mimi, loaders.get_moshi_lm(None, device=device, dtype=dtype).eval())
        folder = made(size)
        config = json.loads((folder / "config.json").read_text())
        info = loaders.CheckpointInfo.from_hf_repo(
            "",
            folder / config["moshi_name"],
            folder / config["mimi_name"],
            folder / config["tokenizer_name"],
            config_path=folder / "config.json",
            mimi_config_path=folder / config["mimi_config_name"],
        )
        return Models(info.get_mimi(device), info.get_moshi(device, dtype))


def weight_bytes(models: Models) -> int:
    """Of the weights that a step reads: all but the tables of embeddings, of which it reads a row each."""
    tables = {
        id(parameter)
        for module in models.lm.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    parameters = [one for one in models.lm.parameters() if id(one) not in tables]
    parameters += list(models.mimi.parameters())
    return sum(one.numel() * one.element_size() for one in parameters)


def state_bytes(models: Models) -> int:
    """Of what the rows of a batch have in memory while they stream."""
    held = {tensor.data_ptr(): tensor.numel() * tensor.element_size() for tensor in _state(models)}
    return sum(held.values())


def _state(models: Models) -> Iterator[torch.Tensor]:
    for part in (models.mimi, models.lm):
        for module in part.modules():
            state: Any = getattr(module, "_streaming_state", None)
            if state is None:
                continue
            yield from (value for value in vars(state).values() if isinstance(value, torch.Tensor))
            if (cache := getattr(state, "kv_cache", None)) is not None:
                yield cache.cache
