"""A model brings no code with it: nothing loads one in a form that runs what it says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePath

from dialtone.models import manifest

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("libs", "services") for path in (ROOT / folder).glob("**/src/**/*.py")]
# The fence speaks pickles with processes that it started itself, and loads none from a file.
SPEAKS_PICKLES = ROOT / "libs/src/dialtone/fence"
# Moshi's engine computes with torch, and has it read nothing: weights are safetensors.
COMPUTES = ROOT / "services/llm/src/dialtone/llm/moshi"
TORCH_READS = ("torch.load(", "torch.jit", "torch.hub", "torch.package", "torch.export.load")
RUNS_CODE = {"pickle", "dill", "joblib", "cloudpickle", "marshal", "shelve", "torch", "transformers"}
DATA = {".onnx", ".gguf", ".bin", ".json", ".txt", ".safetensors"}


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_nothing_is_imported_that_runs_what_a_file_says() -> None:
    assert len(SOURCES) > 100
    for path in SOURCES:
        if SPEAKS_PICKLES not in path.parents:
            allowed = {"torch"} if COMPUTES in path.parents else set()
            assert not (RUNS_CODE - allowed) & set(_imported(path.read_text(encoding="utf-8"))), path


def test_moshis_engine_has_torch_read_no_file() -> None:
    sources = list(COMPUTES.glob("**/*.py"))
    assert any("torch" in set(_imported(path.read_text(encoding="utf-8"))) for path in sources)
    for path in sources:
        assert not [call for call in TORCH_READS if call in path.read_text(encoding="utf-8")], path


def test_the_fence_reads_no_pickle_from_a_file() -> None:
    for path in SPEAKS_PICKLES.glob("*.py"):
        assert "pickle.load(" not in path.read_text(encoding="utf-8")


def test_an_import_that_runs_code_is_found() -> None:
    assert set(_imported("import torch.nn\nfrom pickle import load")) == {"torch", "pickle"}


def test_the_models_of_the_manifest_are_data() -> None:
    names = [file.name for model in manifest().values() for file in model.files]
    assert names
    assert {PurePath(name).suffix for name in names} <= DATA
