"""From settings to a model that is loaded, warmed up and as quick in its first step as in any."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dialtone.llm.moshi.batched_model import BatchedModel, is_out_of_memory
from dialtone.llm.moshi.checkpoint import load_checkpoint
from dialtone.llm.moshi.engine import CannotLoad
from dialtone.llm.moshi.engine_settings import MoshiEngineSettings
from dialtone.llm.moshi.pieces import Pieces
from dialtone.telemetry import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What the engine steps."""

    model: BatchedModel
    tokenizer: Pieces
    padding: frozenset[int]
    """Text tokens that are no text."""


def load_model(settings: MoshiEngineSettings) -> LoadedModel:
    """Load and warm up (blocking, in the thread that is to take the steps). Raises CannotLoad."""
    device = choose_device(settings.moshi_device)
    dtype = choose_dtype(settings.moshi_dtype, device)
    if device.type == "cpu":
        torch.set_num_threads(settings.moshi_threads)
    else:
        torch.cuda.set_device(device)  # of this thread: where its graphs are recorded
    try:
        checkpoint = load_checkpoint(settings, device, dtype)
        model = BatchedModel(checkpoint.mimi, checkpoint.lm, settings.moshi_slots, checkpoint.sampling)
        model.warm_up()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise CannotLoad(
            f"MOSHI_SLOTS={settings.moshi_slots}: {_of(device)} has not the memory for the weights "
            "and the caches of so many calls (fewer slots or a shorter MOSHI_CONTEXT take less): "
            + str(error).splitlines()[0][:300]
        ) from error
    log.info(
        "Moshi is loaded",
        variant=settings.moshi_variant,
        slots=settings.moshi_slots,
        context=checkpoint.lm.context,
        device=_of(device),
        dtype=str(dtype).removeprefix("torch."),
    )
    padding = frozenset({checkpoint.lm.text_padding_token_id, checkpoint.lm.end_of_text_padding_id})
    return LoadedModel(model, checkpoint.tokenizer, padding)


def choose_device(asked: str) -> torch.device:
    """The device of a setting. Raises CannotLoad for a GPU that is not there."""
    if asked == "cpu" or (asked == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    index = int(asked.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise CannotLoad(f"MOSHI_DEVICE={asked}: torch sees {torch.cuda.device_count()} GPUs here")
    return torch.device("cuda", index)


def choose_dtype(asked: str, device: torch.device) -> torch.dtype:
    """The language model's number format."""
    if asked == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if asked == "bfloat16" else torch.float32


def _of(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"
