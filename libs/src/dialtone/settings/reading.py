"""Reading settings at the start of a process."""

import sys
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

Settings = TypeVar("Settings", bound=BaseSettings)


def read_settings(kind: type[Settings]) -> Settings:
    """Return the settings of the environment; end the process with a line for each that is wrong.

    The values are not repeated: some are secrets.
    """
    try:
        return kind()
    except SettingsError as wrong:
        sys.exit(str(wrong))
    except ValidationError as wrong:
        lines = []
        for error in wrong.errors(include_input=False, include_url=False):
            name = "_".join(map(str, error["loc"][:1])).upper() or "settings"
            within = "".join(f"[{part}]" for part in error["loc"][1:])
            lines.append(f"{name}{within}: {error['msg'].removeprefix('Value error, ')}")
        sys.exit("\n".join(lines))
