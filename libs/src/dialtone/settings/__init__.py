"""Settings read from the environment: the variable of a field is its name in upper case."""

from dialtone.settings.bus import BusSettings
from dialtone.settings.reading import read_settings
from dialtone.settings.secrets import secret_of_environment
from dialtone.settings.service import ServiceSettings

__all__ = ["BusSettings", "ServiceSettings", "read_settings", "secret_of_environment"]
