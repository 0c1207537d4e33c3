"""The gateway's settings, as the environment gives them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.settings import GatewaySettings


def tenant_of(keys: ApiKeys, presented: str | None) -> str:
    found = keys.find(presented)
    assert found is not None
    return found.tenant


def test_every_field_of_the_gateway_is_described() -> None:
    own = set(GatewaySettings.__annotations__)
    undescribed = [name for name in own if not GatewaySettings.model_fields[name].description]
    assert undescribed == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_without_keys_a_loopback_address_is_open_to_everybody(host: str) -> None:
    keys = ApiKeys(GatewaySettings(http_host=host))
    assert [tenant_of(keys, presented) for presented in (None, "whatever")] == ["default"] * 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway.example"])
def test_without_keys_no_other_address_is_served(host: str) -> None:
    with pytest.raises(ValidationError, match="API_KEYS"):
        GatewaySettings(http_host=host)


def test_keys_come_from_the_environment_each_with_its_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEYS", "acme:0123456789abcdef, fedcba9876543210")
    settings = GatewaySettings(http_host="0.0.0.0")
    keys = ApiKeys(settings)
    assert tenant_of(keys, "0123456789abcdef") == "acme"
    assert tenant_of(keys, "fedcba9876543210") == "default"
    for wrong in (None, "", "0123456789abcde", "acme:0123456789abcdef", "é", "\ud800"):
        assert keys.find(wrong) is None
    assert "0123456789abcdef" not in repr(settings)


@pytest.mark.parametrize("entry", ["short", "acme:short", "a.b:0123456789abcdef", ":0123456789abcdef"])
def test_keys_that_are_too_short_or_of_no_tenant_are_refused(
    monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setenv("API_KEYS", entry)
    with pytest.raises(ValidationError) as refused:
        GatewaySettings()
    assert "0123456789abcdef" not in str(refused.value)


@pytest.mark.parametrize(("value", "folder"), [("", None), ("/recordings", Path("/recordings"))])
def test_a_folder_for_recordings_that_is_empty_is_none(
    monkeypatch: pytest.MonkeyPatch, value: str, folder: Path | None
) -> None:
    """As Compose says it where nobody wants recordings; not the folder that the gateway was started in."""
    monkeypatch.setenv("RECORD_CALLS_DIR", value)
    assert GatewaySettings().record_calls_dir == folder


def test_variants_of_moshi_come_as_a_list_and_only_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GatewaySettings().moshi_variants == ()
    monkeypatch.setenv("MOSHI_VARIANTS", "sft, base")
    assert GatewaySettings().moshi_variants == ("sft", "base")
    monkeypatch.setenv("MOSHI_VARIANTS", "sft,large")
    with pytest.raises(ValidationError, match="'large'"):
        GatewaySettings()
