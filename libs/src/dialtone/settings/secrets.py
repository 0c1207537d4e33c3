"""Secrets from the environment, or from files that it names, such as mounted ones.

The file of the secret NAME is named by NAME_FILE. It is read when the process starts.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource, SettingsError


def secret_of_environment(name: str) -> SecretStr:
    """Return what NAME holds, else the file of NAME_FILE; empty where there is neither.

    Raises SettingsError for a file that cannot be read.
    """
    if not name:
        return SecretStr("")
    if value := os.environ.get(name):
        return SecretStr(value)
    named = os.environ.get(f"{name}_FILE")
    if not named:
        return SecretStr("")
    try:
        return SecretStr(Path(named).read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        # What is said of a text that cannot be decoded quotes it.
        raise SettingsError(f"{name}_FILE cannot be read ({type(error).__name__})") from None


class SecretFiles(PydanticBaseSettingsSource):
    """Fills the fields that are one secret each."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        if field.annotation is not SecretStr:
            return None, field_name, False
        secret = secret_of_environment(field_name.upper())
        return (secret if secret.get_secret_value() else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: secret for name, secret in found.items() if secret is not None}
