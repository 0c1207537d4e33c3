"""Checkpoints are loaded from a folder and from the hub's cache; what is wrong with one is said by name."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from moshi.models import loaders
from safetensors.torch import load_file, save_file

from dialtone.llm.moshi.batched_model import Sampling
from dialtone.llm.moshi.checkpoint import load_checkpoint
from dialtone.llm.moshi.engine import CannotLoad
from dialtone.llm.moshi.engine_settings import MoshiEngineSettings
from dialtone.llm.moshi.torch_engine import TorchEngine
from dialtone.llm.moshi.torch_model import load_model
from tests.moshi import tiny_checkpoint
from tests.moshi.calls import alone, loaded, voice

_CPU = torch.device("cpu")


@pytest.fixture
def folder(nano: Path, tmp_path: Path) -> Path:
    """A checkpoint to spoil."""
    return Path(shutil.copytree(nano, tmp_path / "checkpoint"))


def refusal(**settings: Any) -> str:
    """Why these settings load nothing."""
    with pytest.raises(CannotLoad) as refused:
        load_model(MoshiEngineSettings(**settings))
    return str(refused.value)


def test_the_script_makes_the_same_checkpoint_of_the_same_seed(nano: Path, tmp_path: Path) -> None:
    again = tiny_checkpoint.make(tmp_path / "again", "nano")
    other = tiny_checkpoint.make(tmp_path / "other", "nano", seed=2)
    for path in nano.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()
    assert (other / tiny_checkpoint.MOSHI).read_bytes() != (nano / tiny_checkpoint.MOSHI).read_bytes()


def hub_cache(folder: Path, at: Path, repo: str, leave_out: str = "") -> Path:
    """The hub client's cache as it is after a download of the repository."""
    revision = "0123456789abcdef0123456789abcdef01234567"
    entry = at / f"models--{repo.replace('/', '--')}"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text(revision)
    snapshot = entry / "snapshots" / revision
    snapshot.mkdir(parents=True)
    for path in folder.iterdir():
        if path.name != leave_out:
            shutil.copy(path, snapshot / path.name)
    return at


def in_another_process(
    cache: Path, repo: str, tmp_path: Path, hub: str = ""
) -> subprocess.CompletedProcess[str]:
    """Loads from the hub's cache, without a network or with this hub: its client reads its environment when
    imported."""
    script = f"""
import time
import torch
from dialtone.llm.moshi.checkpoint import load_checkpoint
from dialtone.llm.moshi.engine import CannotLoad
from dialtone.llm.moshi.engine_settings import MoshiEngineSettings
settings = MoshiEngineSettings(moshi_variant="base", moshi_base_repo={repo!r}, models_dir={str(tmp_path)!r})
began = time.monotonic()
try:
    checkpoint = load_checkpoint(settings, torch.device("cpu"), torch.float32)
    print("loaded", checkpoint.lm.text_card)
except CannotLoad as refused:
    print("refused", refused)
    print(time.monotonic() - began)
"""
    of_hub = {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"} if hub else {"HF_HUB_OFFLINE": "1"}
    environment = {**os.environ, **of_hub, "HF_HUB_CACHE": str(cache)}
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=90,
    )


def test_a_repository_is_loaded_from_the_hubs_cache_without_a_network(nano: Path, tmp_path: Path) -> None:
    cache = hub_cache(nano, tmp_path / "hub", "some-team/moshi")
    done = in_another_process(cache, "some-team/moshi", tmp_path)
    assert done.stdout.split() == ["loaded", "88"], done.stderr


@pytest.mark.parametrize("missing", ["config.json", tiny_checkpoint.MOSHI])
def test_a_file_that_is_in_no_cache_is_not_taken_for_one_that_does_not_exist(
    nano: Path, tmp_path: Path, missing: str
) -> None:
    """Without config.json the package takes any repository for the 7B model, also without a network."""
    cache = hub_cache(nano, tmp_path / "hub", "some-team/moshi", leave_out=missing)
    said = in_another_process(cache, "some-team/moshi", tmp_path).stdout
    assert said.startswith("refused MOSHI_BASE_REPO=some-team/moshi: ")
    assert f"{missing} is in no cache here and cannot be fetched" in said


def test_a_repository_is_loaded_from_the_projects_own_cache(nano: Path, tmp_path: Path) -> None:
    from dialtone.models.cache import hub_folder, mark_verified, sha256_of

    folder = hub_folder(tmp_path, "some-team/moshi")
    shutil.copytree(nano, folder)
    mark_verified(folder, [(path.name, sha256_of(path, lambda _: None)) for path in folder.iterdir()])
    settings = MoshiEngineSettings(moshi_sft_repo="some-team/moshi", models_dir=tmp_path)
    assert load_checkpoint(settings, _CPU, torch.float32).lm.text_card == 88


def test_a_repository_is_not_asked_for_where_there_is_no_network(tmp_path: Path) -> None:
    done = in_another_process(tmp_path / "empty", "some-team/nothing", tmp_path)
    assert done.stdout.startswith("refused MOSHI_BASE_REPO=some-team/nothing: ")
    assert "cannot be fetched" in done.stdout


def test_a_hub_that_does_not_answer_is_given_up_within_seconds(tmp_path: Path) -> None:
    """Its own client tries for most of a minute."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = in_another_process(tmp_path / "empty", "some-team/moshi", tmp_path, url)
    said, seconds = done.stdout.splitlines()
    assert said.startswith("refused MOSHI_BASE_REPO=some-team/moshi: config.json is in no cache here")
    assert float(seconds) < 9


@pytest.mark.parametrize("variant", ["base", "pretrain"])
def test_a_variant_without_weights_says_what_to_set(variant: str) -> None:
    said = refusal(moshi_variant=variant)
    assert f"MOSHI_{variant.upper()}_PATH" in said
    assert f"MOSHI_{variant.upper()}_REPO" in said


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert (
        refusal(moshi_sft_path=tmp_path / "gone")
        == f"MOSHI_SFT_PATH={tmp_path / 'gone'}: there is no such folder"
    )


@pytest.mark.parametrize(
    "file", [tiny_checkpoint.MOSHI, tiny_checkpoint.MIMI, tiny_checkpoint.TOKENIZER, "mimi.json"]
)
def test_a_missing_file_is_named_with_the_setting(folder: Path, file: str) -> None:
    (folder / file).unlink()
    assert refusal(moshi_sft_path=folder) == f"MOSHI_SFT_PATH={folder}: {folder} has no {file}"


@pytest.mark.parametrize(
    "file",
    [tiny_checkpoint.MOSHI, tiny_checkpoint.MIMI, tiny_checkpoint.TOKENIZER, "config.json", "mimi.json"],
)
def test_a_file_that_is_cut_off_is_named(folder: Path, file: str) -> None:
    path = folder / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    said = refusal(moshi_sft_path=folder)
    assert said.startswith(f"MOSHI_SFT_PATH={folder}: {path} ")


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_weights_of_another_shape_are_named_with_the_file_that_says_theirs(folder: Path) -> None:
    change_config(folder, dim=64)
    said = refusal(moshi_sft_path=folder)
    assert f"{folder / tiny_checkpoint.MOSHI} is not as {folder / 'config.json'} has it" in said
    assert "size mismatch" in said


def test_a_codec_of_another_shape_is_named(folder: Path) -> None:
    path = folder / tiny_checkpoint.MIMI
    weights = load_file(path)
    name = next(name for name in weights if name.endswith("conv.weight"))
    save_file({**weights, name: weights[name][:1].clone()}, path)
    said = refusal(moshi_sft_path=folder)
    assert str(path) in said
    assert name in said


def test_without_a_config_the_7b_model_is_assumed_and_said_so(folder: Path) -> None:
    (folder / "config.json").unlink()
    said = refusal(moshi_sft_path=folder)
    assert (
        "has no tokenizer-e351c8d8-checkpoint125.safetensors" in said
    )  # the name of Mimi in that repository
    for ours, theirs in [
        (tiny_checkpoint.MIMI, "tokenizer-e351c8d8-checkpoint125.safetensors"),
        (tiny_checkpoint.TOKENIZER, "tokenizer_spm_32k_3.model"),
    ]:
        shutil.copy(folder / ours, folder / theirs)
    assert "is not as the package's own Mimi has it" in refusal(moshi_sft_path=folder)


def test_a_tokenizer_of_another_size_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_checkpoint, "_VOCABULARY", 80)
    (folder / tiny_checkpoint.TOKENIZER).write_bytes(tiny_checkpoint._tokenizer())
    said = refusal(moshi_sft_path=folder)
    assert f"{folder / tiny_checkpoint.TOKENIZER} has 80 pieces" in said
    assert f"{folder / 'config.json'} has text_card 88" in said


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"moshi_name": "model.pth"}, "model.pth is not safetensors"),
        ({"quantize": True}, "quantized weights"),
        ({"lora_name": "lora.safetensors"}, "LoRA weights"),
        ({"model_type": "hibiki"}, "is of a hibiki"),
        ({"new_trick": 3}, "new_trick"),
    ],
)
def test_what_cannot_be_served_is_refused_by_its_name(
    folder: Path, changes: dict[str, Any], named: str
) -> None:
    change_config(folder, **changes)
    said = refusal(moshi_sft_path=folder)
    assert said.startswith(f"MOSHI_SFT_PATH={folder}: ")
    assert named in said


def test_caches_that_memory_has_no_room_for_are_refused_with_the_setting_to_change(nano: Path) -> None:
    """The allocator of a CPU refuses as that of a GPU does."""
    said = refusal(moshi_sft_path=nano, moshi_slots=1024, moshi_context=10**9, moshi_device="cpu")
    assert said.startswith("MOSHI_SLOTS=1024: the CPU has not the memory")
    assert "MOSHI_CONTEXT" in said


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
    ids=["of a GPU", "of the machine"],
)
def test_weights_that_memory_has_no_room_for_are_not_taken_for_wrong_ones(
    nano: Path, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(loaders.CheckpointInfo, "get_moshi", full)
    assert refusal(moshi_sft_path=nano).startswith("MOSHI_SLOTS=")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    assert refusal(moshi_device="cuda:0").startswith("MOSHI_DEVICE=cuda:0: torch sees 0 GPUs")


async def test_an_engine_that_cannot_load_says_why_and_can_be_closed(tmp_path: Path) -> None:
    engine = TorchEngine(MoshiEngineSettings(moshi_sft_path=tmp_path / "gone"))
    with pytest.raises(CannotLoad, match="there is no such folder"):
        await engine.start()
    assert engine.free == 0
    await asyncio.wait_for(engine.close(), 10)


def test_settings_of_sampling_go_before_those_of_the_checkpoint(folder: Path) -> None:
    change_config(folder, lm_gen_config={"temp": 0.5, "temp_text": 0.4, "top_k_text": 11})
    settings = MoshiEngineSettings(moshi_sft_path=folder, moshi_text_temperature=0.0, moshi_seed=3)
    assert load_checkpoint(settings, _CPU, torch.float32).sampling == Sampling(0.5, 0.0, 250, 11, 3)


def test_a_shorter_context_bounds_what_the_model_looks_back_on(nano: Path) -> None:
    settings = MoshiEngineSettings(moshi_sft_path=nano, moshi_context=10)
    lm = load_checkpoint(settings, _CPU, torch.float32).lm
    assert lm.context == 10
    assert lm.transformer.layers[0].self_attn.context == 10


def test_a_step_after_the_warm_up_hears_nothing_of_it(nano: Path) -> None:
    warm = loaded(nano, rows=2)
    expected = alone(warm, voice(1, 10), row=1)
    warm.warm_up()
    assert alone(warm, voice(1, 10), row=1).tokens() == expected.tokens()
