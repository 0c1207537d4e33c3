"""The Secrets that `deploy/k8s/secrets.sh` makes, as files and values."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tests.deploy.rendered import K8S


@dataclass(frozen=True, slots=True)
class Secrets:
    values: dict[str, dict[str, bytes]]

    def resolved(self, environment: dict[str, str]) -> dict[str, str]:
        """These variables with the Secrets' values in place of their names."""
        return {name: self._value(value) for name, value in environment.items()}

    def _value(self, value: str) -> str:
        if not value.startswith("secret:"):
            return value
        name, key = value.removeprefix("secret:").split("/")
        return self.values.get(name, {}).get(key, b"").decode()

    def write(self, name: str, folder: Path) -> Path:
        """A Secret as Kubernetes mounts it: a file a key."""
        folder.mkdir(parents=True)
        for key, value in self.values[name].items():
            (folder / key).write_bytes(value)
            (folder / key).chmod(0o440)
        return folder


@cache
def make_secrets() -> Secrets:
    """What the script makes, once in a run of the tests."""
    made = subprocess.run([str(K8S / "secrets.sh")], capture_output=True, timeout=60, check=True)
    return Secrets(
        {
            secret["metadata"]["name"]: {
                key: base64.b64decode(value) for key, value in secret["data"].items()
            }
            for secret in yaml.safe_load_all(made.stdout)
        }
    )
