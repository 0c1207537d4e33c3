"""Makes a checkpoint of Moshi that is small enough for a test: random, but of the real classes.

    python -m tests.moshi.tiny_checkpoint FOLDER --size nano --seed 1

The folder is laid as a repository of the hub is: config.json, the language model, Mimi, the tokenizer. The
weights are made so that what comes out depends on what goes in. As the classes are when new, it does not:
Mimi's codebooks are zeros and its convolutions let a signal die away, and no test of isolation would find
anything.
"""

from __future__ import annotations

import argparse
import io
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from moshi.models import MimiModel, loaders
from safetensors.torch import save_file
from torch import nn

TOKENIZER = "tokenizer.model"
MOSHI = "model.safetensors"
MIMI = "mimi.safetensors"
MIMI_CONFIG = "mimi.json"

_VOCABULARY = 88
_CARD = 64

_TEXT = """the weather is mild today and the wind comes from the west
could you tell me when the next train leaves for the harbour
i would like a table for two by the window please
nobody knows how many ships went past the lighthouse last night
her brother plays the violin and sings in the choir on sundays
we have bread cheese apples and a jug of cold water
the quick answer is yes but let me explain it to you slowly
seven small boats followed the river down to the quiet sea"""

SIZES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "tiny": {
        "lm": {"dim": 64, "num_layers": 2, "num_heads": 4, "n_q": 16, "dep_q": 8, "context": 48},
        "depformer": {"dim": 32, "num_layers": 2, "num_heads": 2},
        "mimi": {"dimension": 32, "n_filters": 4, "ratios": [8, 6, 5, 4], "num_layers": 2, "codebooks": 8},
    },
    "nano": {
        "lm": {"dim": 32, "num_layers": 1, "num_heads": 2, "n_q": 8, "dep_q": 4, "context": 48},
        "depformer": {"dim": 16, "num_layers": 1, "num_heads": 2},
        "mimi": {"dimension": 16, "n_filters": 4, "ratios": [32, 30], "num_layers": 1, "codebooks": 4},
    },
}


def lm_config(size: str) -> dict[str, Any]:
    """The language model's part of config.json."""
    lm, depformer = SIZES[size]["lm"], SIZES[size]["depformer"]
    own = lm["dep_q"]
    users = lm["n_q"] - own
    return {
        **loaders._lm_kwargs,
        **lm,
        "text_card": _VOCABULARY,
        "card": _CARD,
        "hidden_scale": 2.0,
        "depformer_dim": depformer["dim"],
        "depformer_dim_feedforward": 2 * depformer["dim"],
        "depformer_num_heads": depformer["num_heads"],
        "depformer_num_layers": depformer["num_layers"],
        "depformer_context": own,
        # As the real one's: the text, and the first codebook of each side; the others a step later.
        "delays": [0, 0, *[1] * (own - 1), 0, *[1] * (users - 1)],
    }


def mimi_config(size: str) -> dict[str, Any]:
    """What the file named by `mimi_config_name` says."""
    mimi = SIZES[size]["mimi"]
    width = mimi["dimension"]
    return {
        **loaders._mimi_config,
        "seanet": {
            **loaders._seanet_kwargs,
            "dimension": width,
            "n_filters": mimi["n_filters"],
            "ratios": mimi["ratios"],
        },
        "quantizer": {
            "dimension": width // 2,
            "n_q": mimi["codebooks"],
            "bins": _CARD,
            "input_dimension": width,
            "output_dimension": width,
        },
        "transformer": {
            **loaders._transformer_kwargs,
            "d_model": width,
            "input_dimension": width,
            "output_dimensions": [width],
            "num_heads": 2,
            "num_layers": mimi["num_layers"],
            "dim_feedforward": 2 * width,
            "context": 125,
            # The real one's 0.01 is where training begins: the past would hardly be heard.
            "layer_scale": 0.5,
        },
    }


def make(folder: Path, size: str, seed: int = 1) -> Path:
    """Write the checkpoint, the same for the same seed, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config, codec = lm_config(size), mimi_config(size)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        mimi = loaders.get_mimi(None, codec, num_codebooks=SIZES[size]["mimi"]["codebooks"])
        _let_signals_through(mimi)
        _fill_codebooks(mimi)
        lm = loaders.get_moshi_lm(None, config, dtype=torch.float32)
    _save(mimi, folder / MIMI)
    _save(lm, folder / MOSHI)
    (folder / TOKENIZER).write_bytes(_tokenizer())
    (folder / MIMI_CONFIG).write_text(json.dumps(codec, indent=1))
    names = {
        "moshi_name": MOSHI,
        "mimi_name": MIMI,
        "mimi_config_name": MIMI_CONFIG,
        "tokenizer_name": TOKENIZER,
        "model_type": "moshi",
    }
    (folder / "config.json").write_text(json.dumps({**config, **names}, indent=1))
    return folder


def _save(model: nn.Module, path: Path) -> None:
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)


def _let_signals_through(mimi: MimiModel) -> None:
    """Weights that keep a signal's size from layer to layer, and no biases to drown it."""
    for module in mimi.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            taps = module.kernel_size[0]
            if isinstance(module, nn.ConvTranspose1d):
                fan_in = module.in_channels // module.groups * max(1, taps // module.stride[0])
            else:
                fan_in = module.in_channels // module.groups * taps
            nn.init.normal_(module.weight, std=1.3 / math.sqrt(fan_in))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    last = [module for module in mimi.decoder.modules() if isinstance(module, nn.Conv1d)][-1]
    last.weight.mul_(0.01)  # to a voice's loudness


def _fill_codebooks(mimi: MimiModel) -> None:
    """Fill each codebook with vectors that it is asked to stand for, as training would begin."""
    latent = mimi._encode_to_unquantized_latent(_sounds())
    for quantizer in (mimi.quantizer.rvq_first, mimi.quantizer.rvq_rest):
        left = quantizer.input_proj(latent)
        for layer in quantizer.vq.layers:
            vectors = left.transpose(1, 2).reshape(-1, left.shape[1])
            book = layer._codebook
            chosen = torch.randperm(len(vectors))[: book.codebook_size]
            book.embedding_sum.copy_(vectors[chosen])
            book.cluster_usage.fill_(1)
            book._initialized.fill_(1)
            book._embedding = None
            left = left - layer.decode(layer.encode(left))
            book._embedding = None


def _sounds() -> torch.Tensor:
    """[4, 1, n]: tones that glide and come and go, over noise."""
    at = torch.arange(24_000 * 8) / 24_000
    rows = []
    for row in range(4):
        pitch = 120 * (row + 1) * (1 + 0.3 * torch.sin(2 * math.pi * (0.7 + 0.2 * row) * at))
        tone = torch.sin(2 * math.pi * torch.cumsum(pitch, 0) / 24_000)
        loudness = torch.clamp(torch.sin(2 * math.pi * (0.3 + 0.1 * row) * at), 0)
        rows.append(0.4 * loudness * tone + 0.05 * torch.randn(len(at)))
    return torch.stack(rows)[:, None]


def _tokenizer() -> bytes:
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_sentences(),
        model_writer=written,
        vocab_size=_VOCABULARY,
        pad_id=3,
        num_threads=1,
        minloglevel=2,
    )
    return written.getvalue()


def _sentences() -> Iterator[str]:
    yield from _TEXT.splitlines()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--size", choices=sorted(SIZES), default="tiny")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    print(make(given.folder, given.size, given.seed))
