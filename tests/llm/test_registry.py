"""A session's model name finds its backend."""

import json
from pathlib import Path

import pytest

from dialtone.bus import WorkError
from dialtone.llm.backends.minimax import MiniMaxBackend
from dialtone.llm.backends.openai import OpenAiBackend
from dialtone.llm.backends.simulated import SimulatedBackend
from dialtone.llm.model_entry import ModelEntry
from dialtone.llm.registry import ModelRegistry, lines_of
from dialtone.llm.service import make_registry
from dialtone.llm.settings import LlmSettings
from dialtone.vendors.registry import BadRegistry


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LlmSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def _registry(**settings: object) -> ModelRegistry:
    return make_registry(LlmSettings.model_validate(settings))


def _entries(settings: LlmSettings) -> dict[str, ModelEntry]:
    return {name: line for name, line in lines_of(settings)[0].items() if isinstance(line, ModelEntry)}


_HOSTED = {"openai_api_key": "k", "minimax_api_key": "k", "llm_default_model": "openai"}


@pytest.mark.parametrize(
    ("name", "kind", "model"),
    [
        ("openai", OpenAiBackend, "gpt-4o-mini"),
        ("", OpenAiBackend, "gpt-4o-mini"),
        ("default", OpenAiBackend, "gpt-4o-mini"),
        ("gpt-4.1-mini", OpenAiBackend, "gpt-4.1-mini"),
        ("openai/Qwen/Qwen3-8B", OpenAiBackend, "Qwen/Qwen3-8B"),
        ("gpt-realtime", OpenAiBackend, "gpt-4o-mini"),
        ("gpt-4o-realtime-preview-2024-12-17", OpenAiBackend, "gpt-4o-mini"),
        ("minimax", MiniMaxBackend, "MiniMax-M2"),
        ("MiniMax-Text-01", MiniMaxBackend, "MiniMax-Text-01"),
        ("abab6.5s-chat", MiniMaxBackend, "abab6.5s-chat"),
        ("simulated", SimulatedBackend, "simulated"),
    ],
)
def test_names_of_the_convenience_variables(name: str, kind: type, model: str) -> None:
    [chosen] = _registry(**_HOSTED).choose(name)
    assert isinstance(chosen.backend, kind)
    assert chosen.model == model


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(WorkError) as refused:
        _registry(**_HOSTED).choose("claude")
    assert refused.value.code == "model_not_found"


def test_openai_names_mean_the_default_where_openai_is_not_configured() -> None:
    registry = _registry(minimax_api_key="k", llm_default_model="minimax")
    assert isinstance(registry.choose("gpt-4o")[0].backend, MiniMaxBackend)


def test_names_of_one_entry_share_its_backend() -> None:
    registry = _registry(**_HOSTED)
    assert registry.choose("MiniMax-M1")[0].backend is registry.choose("abab7")[0].backend


def test_the_registry_comes_from_a_file_or_the_variable_itself(tmp_path: Path) -> None:
    entry = {"backend": "openai", "base_url": "http://vllm:8000/v1", "model": "Qwen/Qwen3-8B"}
    toml = tmp_path / "models.toml"
    toml.write_text('[qwen]\nbackend = "openai"\nbase_url = "http://vllm:8000/v1"\nmodel = "Qwen/Qwen3-8B"\n')
    for source in (json.dumps({"qwen": entry}), str(toml)):
        [chosen] = _registry(llm_models=source, llm_default_model="qwen").choose("gpt-realtime")
        assert chosen.model == "Qwen/Qwen3-8B"


def test_simulated_stages_answer_every_name() -> None:
    registry = _registry(stages="simulated", openai_api_key="k")
    for name in ("", "default", "gpt-realtime", "whatever"):
        assert isinstance(registry.choose(name)[0].backend, SimulatedBackend)


def test_simulated_stages_may_have_models_of_their_own() -> None:
    models = {"chat": {"backend": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m"}}
    registry = _registry(stages="simulated", llm_models=json.dumps(models), llm_default_model="chat")
    for name in ("chat", "", "gpt-realtime"):
        assert registry.choose(name)[0].model == "m"
    assert isinstance(registry.choose("whatever")[0].backend, SimulatedBackend)


@pytest.mark.parametrize(
    "source",
    [
        '{"a": {"backend": "smoke"}}',
        '{"a": {"backend": "openai", "api_key": "sk-secret", "colour": 1}}',
        "{not json",
        "/nowhere/models.toml",
        '[a]\nbackend = "openai"\napi_key = "sk-secret"\n',
        'a = { backend = "openai", api_key = "sk-secret" }',
        '[a]\nbackend = "openai"\napi_key = "sk-secret"\n' + "# a long one\n" * 400,
    ],
)
def test_a_wrong_registry_is_refused_without_repeating_its_secrets(source: str) -> None:
    with pytest.raises(BadRegistry) as refused:
        _registry(llm_models=source)
    assert "sk-secret" not in str(refused.value)


_LISTED = {
    "one": {"backend": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m1"},
    "two/*": {"backend": "openai", "base_url": "http://127.0.0.1:2/v1"},
    "voice": ["one", "two/m2", "simulated"],
}


def test_a_list_has_its_models_in_order_under_its_name_and_as_the_default() -> None:
    registry = _registry(llm_models=json.dumps(_LISTED), llm_default_model="voice")
    for name in ("voice", "", "gpt-realtime", "gpt-4o"):
        assert [one.model for one in registry.choose(name)] == ["m1", "m2", "simulated"]
    assert [one.model for one in registry.choose("one")] == ["m1"]
    assert [one.model for one in registry.default] == ["m1", "m2", "simulated"]
    assert [offer.name for offer in registry.offers][:2] == ["voice", "one"]


def test_the_default_may_name_several() -> None:
    registry = _registry(llm_models=json.dumps(_LISTED), llm_default_model="two/m3, one")
    assert [one.model for one in registry.choose("")] == ["m3", "m1"]
    assert [(offer.name, offer.is_default) for offer in registry.offers][:2] == [
        ("two/m3", True),
        ("one", False),
    ]


def test_a_registry_that_is_not_there_is_named() -> None:
    with pytest.raises(BadRegistry) as refused:
        _registry(llm_models="/nowhere/models.toml")
    assert str(refused.value) == "LLM_MODELS cannot be read: No such file or directory: /nowhere/models.toml"


@pytest.mark.parametrize("stages", ["real", "simulated"])
def test_a_server_without_tls_is_refused_where_tls_is_required(stages: str) -> None:
    with pytest.raises(BadRegistry, match="REQUIRE_TLS is set, and base_url of 'one'"):
        _registry(
            stages=stages,
            llm_models=json.dumps(_LISTED),
            llm_default_model="one",
            require_tls=True,
            nats_url="tls://broker:4222",
        )


@pytest.mark.parametrize("listed", [["one", "nonesuch"], [], ["voice"]])
def test_a_list_of_what_nothing_serves_is_refused(listed: list[str]) -> None:
    with pytest.raises(BadRegistry, match="voice"):
        _registry(llm_models=json.dumps({**_LISTED, "voice": listed}), llm_default_model="one")


def test_a_default_that_nothing_serves_is_refused() -> None:
    with pytest.raises(BadRegistry, match="nonesuch"):
        _registry(llm_default_model="nonesuch")


@pytest.mark.parametrize(
    ("settings", "name", "images"),
    [
        ({"openai_api_key": "k"}, "gpt-*", True),
        ({"openai_base_url": "http://127.0.0.1:1/v1"}, "openai", False),
        ({"openai_base_url": "http://127.0.0.1:1/v1", "openai_images": True}, "openai", True),
        ({"minimax_api_key": "k"}, "minimax", False),
        ({"minimax_api_key": "k"}, "MiniMax-*", False),
        ({"minimax_api_key": "k"}, "MiniMax-M3*", True),
        ({"minimax_api_key": "k", "minimax_model": "MiniMax-M3"}, "minimax", True),
        ({}, "local", False),
    ],
)
def test_who_takes_images(settings: dict[str, object], name: str, images: bool) -> None:
    assert _entries(LlmSettings.model_validate(settings))[name].images is images


@pytest.mark.parametrize(
    ("url", "limit"), [("", "max_completion_tokens"), ("http://127.0.0.1:1/v1", "max_tokens")]
)
def test_openais_own_models_are_told_the_limit_by_the_name_that_those_that_reason_take(
    url: str, limit: str
) -> None:
    entries = _entries(LlmSettings.model_validate({"openai_api_key": "k", "openai_base_url": url}))
    assert {entries[name].max_tokens_field for name in ("openai", "gpt-*", "o3*")} == {limit}


def test_the_deadlines_of_the_convenience_variables_are_settings() -> None:
    settings = LlmSettings.model_validate(
        {**_HOSTED, "llm_first_token_s": 4.0, "llm_inter_token_s": 2.0, "llm_local_model": "some-model"}
    )
    entries = _entries(settings)
    for name in ("openai", "gpt-*", "minimax", "MiniMax-*"):
        assert (entries[name].limits.first_token_s, entries[name].limits.inter_token_s) == (4.0, 2.0)
    assert entries["local"].limits.first_token_s == 20.0


def test_the_names_that_are_served_are_told_the_default_first_and_patterns_left_out() -> None:
    hosted = _registry(**_HOSTED, llm_local_model="some-model")
    offers = [(offer.name, offer.is_default) for offer in hosted.offers]
    assert offers[0] == ("openai", True)
    assert [name for name, default in offers if not default] == [
        "minimax",
        "local",
        "some-model",
        "simulated",
    ]
    by_pattern = _registry(openai_api_key="k", llm_default_model="gpt-4.1-mini")
    assert [offer.name for offer in by_pattern.offers] == ["gpt-4.1-mini", "openai", "simulated"]
    for registry in (hosted, by_pattern):
        assert all(registry.choose(offer.name) for offer in registry.offers)
