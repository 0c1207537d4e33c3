"""Loading a checkpoint of Moshi: Mimi, the language model and the tokenizer, by the package's own classes.

Only safetensors are read: other formats can run code. What is wrong with a file is said with its name and the
setting that led to it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from moshi.models import LMModel, MimiModel, loaders
from safetensors import SafetensorError

from dialtone.llm.moshi.batched_model import Sampling, is_out_of_memory
from dialtone.llm.moshi.checkpoint_files import CheckpointFiles
from dialtone.llm.moshi.engine import FRAME, SAMPLE_RATE, CannotLoad
from dialtone.llm.moshi.engine_settings import MoshiEngineSettings

_CONFIG = "config.json"
# Names in the configuration's `lm_gen_config`, of the package's, and ours.
_OF_SAMPLING = {
    "temp": "temperature",
    "temp_text": "text_temperature",
    "top_k": "top_k",
    "top_k_text": "text_top_k",
}
_REFUSED = {
    "lora_name": "LoRA weights, which are to be fused into the model's",
    "quantize": "quantized weights",
    "conditioners": "conditions, which Moshi has not",
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was loaded, in memory and on its device."""

    mimi: MimiModel
    lm: LMModel
    tokenizer: sentencepiece.SentencePieceProcessor
    sampling: Sampling
    """What the checkpoint says of it, with what the settings say over it."""


def load_checkpoint(settings: MoshiEngineSettings, device: torch.device, dtype: torch.dtype) -> Checkpoint:
    """Find the files of the settings' variant, fetch what is missing, and load them (blocking).

    Raises CannotLoad; what the lack of memory raises, of a GPU or not, is left to the caller.
    """
    files = CheckpointFiles(settings)
    config_path = files.find_if_there(_CONFIG)
    config = _read_json(files, config_path) if config_path else {}
    for key, what in _REFUSED.items():
        if config.get(key):
            raise CannotLoad(f"{files.setting}: {config_path} asks for {what}: {key}")
    if (kind := config.get("model_type", "moshi")) != "moshi":
        raise CannotLoad(f"{files.setting}: {config_path} is of a {kind}, not of a Moshi")

    weights = _safetensors(files, config.get("moshi_name", loaders.MOSHI_NAME))
    codec = _safetensors(files, config.get("mimi_name", loaders.MIMI_NAME))
    tokenizer_path = files.find(config.get("tokenizer_name", loaders.TEXT_TOKENIZER_NAME))
    codec_config = files.find(config["mimi_config_name"]) if config.get("mimi_config_name") else None
    if codec_config is not None:
        _read_json(files, codec_config)  # as the package will, without a name for what is wrong

    info = _info(config_path, weights, codec, tokenizer_path, codec_config)
    # The weights may be of another model: which file says what they should be?
    said_by = str(config_path) if config_path else f"the 7B model, which is assumed as there is no {_CONFIG}"
    with _named(files, codec, str(codec_config or "the package's own Mimi")):
        mimi = info.get_mimi(device)
    with _named(files, weights, said_by):
        overrides = {"context": settings.moshi_context} if settings.moshi_context else {}
        lm = info.get_moshi(device, dtype, lm_kwargs_overrides=overrides)
    with _named(files, tokenizer_path, "a SentencePiece model"):
        tokenizer = info.get_text_tokenizer()
    _check_sizes(files, lm, mimi, tokenizer, tokenizer_path, said_by)
    return Checkpoint(mimi, lm, tokenizer, _sampling(settings, config.get("lm_gen_config", {})))


def _info(
    config: Path | None, weights: Path, codec: Path, tokenizer: Path, codec_config: Path | None
) -> loaders.CheckpointInfo:
    if config is None:
        return loaders.CheckpointInfo(weights, codec, tokenizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Every path is given, so that the hub is not asked.
        return loaders.CheckpointInfo.from_hf_repo(
            "", weights, codec, tokenizer, config_path=config, mimi_config_path=codec_config
        )


def _read_json(files: CheckpointFiles, path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise CannotLoad(f"{files.setting}: {path} cannot be read: {error}") from error
    if not isinstance(read, dict):
        raise CannotLoad(f"{files.setting}: {path} holds no object")
    return read


def _safetensors(files: CheckpointFiles, name: str) -> Path:
    if not name.endswith(".safetensors"):
        raise CannotLoad(f"{files.setting}: {name} is not safetensors, and other formats can run code")
    return files.find(name)


@contextmanager
def _named(files: CheckpointFiles, path: Path, said_by: str) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise CannotLoad(f"{files.setting}: {path} cannot be read: {error}") from error
    except (RuntimeError, TypeError, KeyError, ValueError, AssertionError) as error:
        if is_out_of_memory(error):
            raise
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        # load_state_dict lists every tensor, below a first line that names the class.
        first = next((line for line in lines if line.startswith("size mismatch")), lines[-1])
        raise CannotLoad(f"{files.setting}: {path} is not as {said_by} has it: {first[:400]}") from error


def _check_sizes(
    files: CheckpointFiles,
    lm: LMModel,
    mimi: MimiModel,
    tokenizer: sentencepiece.SentencePieceProcessor,
    tokenizer_path: Path,
    said_by: str,
) -> None:
    if (pieces := tokenizer.get_piece_size()) != lm.text_card:
        raise CannotLoad(
            f"{files.setting}: {tokenizer_path} has {pieces} pieces, "
            f"and {said_by} has text_card {lm.text_card}"
        )
    if mimi.cardinality != lm.card:
        raise CannotLoad(
            f"{files.setting}: Mimi's codebooks have {mimi.cardinality} entries, "
            f"and {said_by} has card {lm.card}"
        )
    if mimi.sample_rate != SAMPLE_RATE or mimi.frame_size != FRAME:
        raise CannotLoad(
            f"{files.setting}: Mimi has frames of {mimi.frame_size} samples at {mimi.sample_rate} Hz, "
            f"not of {FRAME} at {SAMPLE_RATE}"
        )


def _sampling(settings: MoshiEngineSettings, of_checkpoint: dict[str, Any]) -> Sampling:
    said = {ours: of_checkpoint[theirs] for theirs, ours in _OF_SAMPLING.items() if theirs in of_checkpoint}
    for field in fields(Sampling):
        if (value := getattr(settings, f"moshi_{field.name}")) is not None:
            said[field.name] = value
    return Sampling(**said)
