"""What the schemas say of a manifest: those of Kubernetes, and of the kinds that others add."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate

from tests.deploy.cel_rules import broken_rules
from tests.deploy.rendered import Manifest

KUBERNETES = "1.34"
_FOLDER = Path(__file__).parent / "schemas"


def schema_problems(manifest: Manifest) -> list[str]:
    """What is wrong with one object, if anything. A kind that no schema is for is wrong, too."""
    return _problems(json.dumps(manifest))


@cache
def _problems(text: str) -> list[str]:
    # By its text, because overlays have most objects in common, and a look takes 0.1 s.
    return list(_look(json.loads(text)))


def _look(manifest: Manifest) -> Iterator[str]:
    schema = _added().get((manifest["apiVersion"], manifest["kind"]))
    try:
        if schema is not None:
            body = {
                key: value for key, value in manifest.items() if key not in ("apiVersion", "kind", "metadata")
            }
            jsonschema.validate(body, _closed(schema))
            yield from broken_rules(schema, body)
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except jsonschema.ValidationError as error:
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message[:200]}"
    except kubernetes_validate.SchemaNotFoundError as error:
        yield f"no schema knows this kind: {error}"


@cache
def triggers() -> dict[str, dict[str, bool]]:
    """KEDA's triggers that are used here: their parameters, and whether each has to be given."""
    found: dict[str, dict[str, bool]] = json.loads((_FOLDER / "keda-triggers.json").read_text())
    return found


@cache
def _added() -> dict[tuple[str, str], Any]:
    found = {}
    for path in _FOLDER.glob("*.json"):
        # Go lets a pattern say anywhere that case does not matter, Python only at its beginning.
        document = json.loads(path.read_text().replace("^(?i)", "(?i)^"))
        if "kind" in document:
            for member in ("apiVersion", "kind", "metadata"):
                document["schema"]["properties"].pop(member)
            found[document["apiVersion"], document["kind"]] = document["schema"]
    return found


def _closed(schema: Any) -> Any:
    """What this schema of Kubernetes says, in JSON Schema: what is not named is not allowed."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            closed[key] = {name: _closed(part) for name, part in value.items()}
        elif not key.startswith("x-kubernetes"):
            closed[key] = _closed(value)
    if schema.get("x-kubernetes-int-or-string"):
        closed.pop("type", None)
        closed["type"] = ["integer", "string"]
    if "properties" in closed and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    if schema.get("nullable"):
        closed["type"] = [closed["type"], "null"]
    return closed
