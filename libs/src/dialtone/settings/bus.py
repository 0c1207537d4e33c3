"""How to reach the broker, and the limits that every user of a work queue must agree on."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dialtone.settings.secrets import SecretFiles


class BusSettings(BaseSettings):
    """Settings of the bus.

    The `work_*` and `lease_*` fields describe the streams and consumers themselves: whoever connects
    last writes them to the broker, so all processes of one installation need the same values.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    nats_url: str = "nats://127.0.0.1:4222"
    """One URL or several separated by commas. `tls://` demands TLS before anything is sent."""
    nats_user: str = ""
    nats_password: SecretStr = SecretStr("")
    nats_ca_file: Path | None = None
    nats_max_pending_bytes: int = Field(default=4 * 2**20, gt=0)
    """Bytes that may wait to be written to the broker before publishing fails."""

    work_storage: Literal["memory", "file"] = "file"
    """On file, queued work outlives a restart of the broker; memory is no faster for work this small."""
    work_replicas: int = Field(default=1, ge=1, le=5)
    work_max_msgs: int = Field(default=1000, gt=0)
    """Work of one pool, queued and running together, beyond which `Overloaded` is raised."""
    work_max_age_s: float = Field(default=6 * 3600, gt=0)
    """Work older than this is dropped by the broker; longer than any call may last."""
    work_max_deliver: int = Field(default=5, ge=1, le=12)
    """Attempts of one message. Work issued anew starts further above (see the gateway's leases)."""
    lease_ack_wait_s: float = Field(default=1.0, gt=0)
    """A worker that is silent for this long loses its lease."""
    lease_claim_patience_s: float = Field(default=0.05, ge=0)
    """How long a worker waits for leave to begin; a first attempt is begun without it after that."""
    lease_claim_timeout_s: float = Field(default=2.0, gt=0)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed goes before the environment, and that before the files that it names.

        Of secrets `SecretFiles` reads both: a variable that is empty leaves it to the file.
        """
        del dotenv_settings, file_secret_settings  # not used: a service reads no file that it was not told of
        return init_settings, SecretFiles(settings_cls), env_settings
