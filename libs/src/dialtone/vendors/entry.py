"""What every line of a registry says of the server behind it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dialtone.settings import secret_of_environment
from dialtone.vendors.limits import ServerLimits


class VendorEntry(BaseModel):
    """How a server is reached. Each stage adds what it has to know beside."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str = ""
    """The server's name of the model."""
    base_url: str = ""
    """Up to and with the version: `https://api.openai.com/v1`. Empty: the vendor's own."""
    api_key: SecretStr = SecretStr("")
    api_key_env: str = ""
    """Name of the environment variable that holds the key, where it is not given here; with `_FILE` behind
    it, of one that names a file with it. Neither: no key is sent."""
    limits: ServerLimits = ServerLimits()
    connections: int = Field(default=100, ge=1)
    """Connections to the server at once, for backends that share them among calls."""

    def key(self) -> str:
        """The key; empty where the server wants none. Raises SettingsError for a file that cannot be read."""
        return self.api_key.get_secret_value() or secret_of_environment(self.api_key_env).get_secret_value()
