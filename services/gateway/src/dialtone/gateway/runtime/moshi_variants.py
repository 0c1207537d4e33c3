"""Which variants of Moshi calls may have."""

from __future__ import annotations

from dialtone.gateway.core.session import MOSHI, SessionConfig
from dialtone.gateway.settings import GatewaySettings


def is_not_served(config: SessionConfig, settings: GatewaySettings) -> bool:
    """Whether the session is for a Moshi that the operator does not have."""
    return config.moshi is not None and config.moshi not in settings.moshi_variants


def served_names(settings: GatewaySettings) -> list[str]:
    """The models' names by which sessions ask for those that the operator has."""
    return [f"{MOSHI}-{variant}" for variant in settings.moshi_variants]


def not_served(model: str) -> str:
    """What its client is told."""
    return f"The model '{model[:64]}' is not served here."
