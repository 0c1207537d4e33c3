"""The default install has no torch: whatever is not Moshi's engine is imported without it.

Of the other services the import contract in pyproject.toml says so (`make check`).
"""

import subprocess
import sys

_SCRIPT = """
import importlib, pkgutil, sys, dialtone.llm

NOT_HERE = ("torch", "moshi", "safetensors", "sentencepiece")
ENGINE = ("batched_model", "checkpoint", "torch_engine", "torch_model")

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NOT_HERE:
            raise ModuleNotFoundError(f"{name} is not in the default install")

sys.meta_path.insert(0, Refusing())
engine = {f"dialtone.llm.moshi.{name}" for name in ENGINE}
names = {module.name for module in pkgutil.walk_packages(dialtone.llm.__path__, "dialtone.llm.")}
assert engine <= names, engine - names
for name in sorted(names - engine):
    importlib.import_module(name)
for name in engine:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} needs no torch: it can be left out of the list")
"""


def test_all_but_moshis_engine_is_imported_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
