"""Which backend serves a model's name.

A name is looked up in LLM_MODELS, where it may stand for a list of others, then among the entries that the
convenience variables add; an exact name goes before a pattern. No name, "default", and names of OpenAI's that
are not served (a client of the Realtime protocol has to name one, such as "gpt-realtime") mean the default
model; any other name is refused.
"""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dialtone.bus import WorkError
from dialtone.llm.backend import ChatBackend
from dialtone.llm.limits import Limits
from dialtone.llm.listed import Listed
from dialtone.llm.model_entry import ModelEntry
from dialtone.llm.settings import LlmSettings
from dialtone.v1.offers_pb2 import Offer

_REALTIME_NAMES = ("gpt-realtime*", "gpt-4o*realtime*", "gpt-*audio*")
_OPENAI_NAMES = ("gpt-*", "chatgpt-*", "o1*", "o3*", "o4*")
_MINIMAX_SIGHTED = "MiniMax-M3*"  # M2 and older are text only
# A small model on a CPU is slow to begin when its prompt is new.
_LOCAL_LIMITS = Limits(first_token_s=20.0, inter_token_s=10.0)
_LOCAL_TEMPERATURE = 0.3  # small models ramble above it


class BadRegistry(ValueError):
    """LLM_MODELS or LLM_DEFAULT_MODEL cannot be used; the message says why."""


class ModelRegistry:
    """The entries with their backends, and lists of their names. `build` makes the backend of an entry."""

    def __init__(
        self,
        entries: Mapping[str, ModelEntry],
        default: str,
        build: Callable[[ModelEntry], ChatBackend],
        *,
        lists: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._entries = dict(entries)
        self._lists = dict(lists or {})
        self._default = default
        # Names of one entry share its backend.
        made = {id(entry): build(entry) for entry in self._entries.values()}
        self._made = list(made.values())
        self._backends = {name: made[id(entry)] for name, entry in self._entries.items()}
        for name, listed in self._lists.items():
            if not listed:
                raise BadRegistry(f"LLM_MODELS has a list without names: {name}")
            for one in listed:
                if self._find(one) is None:
                    raise BadRegistry(f"LLM_MODELS lists {one} under {name}, which no entry serves")
        if default not in self._lists and self._find(default) is None:
            raise BadRegistry(f"LLM_DEFAULT_MODEL names {default}, which no entry serves")

    @property
    def default_entry(self) -> ModelEntry:
        """The entry of the default model; the first of a list."""
        key = self._find(self._lists.get(self._default, [self._default])[0])
        assert key is not None
        return self._entries[key]

    @property
    def offers(self) -> list[Offer]:
        """The names that are served, the default first. Those that a pattern serves cannot be listed."""
        entries = (name for name in self._entries if not _is_pattern(name))
        names = dict.fromkeys([self._default, *self._lists, *entries])
        return [Offer(name=name, is_default=name == self._default) for name in names]

    def choose(self, name: str) -> Sequence[Listed]:
        """Return what serves a session's model, to be asked one after the other. WorkError("model_not_found")
        where nothing does."""
        asked = name.strip()
        if asked.lower() in ("", "default"):
            asked = self._default
        # Models of the Realtime protocol are no chat models, whatever pattern they match.
        known = asked in self._entries or asked in self._lists
        if not known and _matches(asked, _REALTIME_NAMES):
            asked = self._default
        if asked not in self._lists and self._find(asked) is None and _matches(asked, _OPENAI_NAMES):
            asked = self._default
        return [self._one(model, name) for model in self._lists.get(asked, [asked])]

    async def load(self) -> None:
        """Load what has to be loaded before the first turn."""
        for backend in self._made:
            await backend.load()

    async def close(self) -> None:
        """Close every backend."""
        for backend in self._made:
            await backend.close()

    @property
    def backends(self) -> Sequence[ChatBackend]:
        """Every backend, once."""
        return self._made

    def _one(self, model: str, asked: str) -> Listed:
        key = self._find(model)
        if key is None:
            raise WorkError("model_not_found", f"no model {asked[:64]!r} is served here")
        return Listed(self._backends[key], self._entries[key].model or _without_prefix(model, key))

    def _find(self, name: str) -> str | None:
        if name in self._entries:
            return name
        lower = name.lower()
        return next((key for key in self._entries if fnmatchcase(lower, key.lower())), None)


def _is_pattern(name: str) -> bool:
    return any(letter in name for letter in "*?[")


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.lower(), pattern) for pattern in patterns)


def _without_prefix(name: str, key: str) -> str:
    prefix = key.partition("*")[0]
    return name[len(prefix) :] if prefix.endswith("/") and "*" in key else name


def lists_of(settings: LlmSettings) -> dict[str, list[str]]:
    """Return the lists of the registry, each under its name. Raises BadRegistry."""
    return {
        name: [str(one) for one in value]
        for name, value in _table(settings.llm_models).items()
        if isinstance(value, list)
    }


def entries_of(settings: LlmSettings) -> tuple[dict[str, ModelEntry], str]:
    """Return the registry's entries and the name of the default model. Raises BadRegistry."""
    entries = _configured(settings.llm_models)
    if settings.stages == "simulated":
        simulated = ModelEntry(backend="simulated", model="simulated")
        return {**entries, "*": entries.get("*", simulated)}, settings.llm_default_model or "simulated"
    default = settings.llm_default_model or "local"

    def add(name: str, entry: ModelEntry) -> None:
        entries.setdefault(name, entry)

    limits = Limits(first_token_s=settings.llm_first_token_s, inter_token_s=settings.llm_inter_token_s)
    if settings.minimax_api_key.get_secret_value():
        minimax = ModelEntry(
            backend="minimax",
            limits=limits,
            base_url=settings.minimax_base_url,
            api_key=settings.minimax_api_key,
            context_window=128_000,
        )
        sighted = minimax.model_copy(update={"images": True})
        default_minimax = sighted if fnmatchcase(settings.minimax_model, _MINIMAX_SIGHTED) else minimax
        add("minimax", default_minimax.model_copy(update={"model": settings.minimax_model}))
        add(_MINIMAX_SIGHTED, sighted)
        for pattern in ("MiniMax-*", "abab*"):
            add(pattern, minimax)
    if settings.openai_api_key.get_secret_value() or settings.openai_base_url:
        openai = ModelEntry(
            backend="openai",
            limits=limits,
            base_url=settings.openai_base_url,
            api_key=settings.openai_api_key,
            context_window=32_000,
            # OpenAI's own models take images; of others behind the same API it has to be said.
            images=settings.openai_images if settings.openai_base_url else True,
            # Its models that reason refuse the old name; other servers may not know the new one.
            max_tokens_field="max_tokens" if settings.openai_base_url else "max_completion_tokens",
        )
        add("openai", openai.model_copy(update={"model": settings.openai_model}))
        for pattern in ("openai/*", *_OPENAI_NAMES):
            add(pattern, openai)
    if default == "local" or "llm_local_model" in settings.model_fields_set:
        local = ModelEntry(
            backend="local",
            model=settings.llm_local_model,
            temperature=_LOCAL_TEMPERATURE,
            limits=_LOCAL_LIMITS,
        )
        add("local", local)
        add(settings.llm_local_model, local)
    add("simulated", ModelEntry(backend="simulated"))
    return entries, default


def _configured(value: str) -> dict[str, ModelEntry]:
    try:
        return {
            name: ModelEntry.model_validate(entry)
            for name, entry in _table(value).items()
            if not isinstance(entry, list)
        }
    except ValidationError as error:
        # Pydantic's text repeats its input, and with it keys.
        wrong = error.errors(include_input=False, include_url=False)
        what = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong)
        raise BadRegistry(f"LLM_MODELS has a wrong entry: {what}") from None


def _table(value: str) -> dict[str, Any]:
    if not value.strip():
        return {}
    try:
        if value.lstrip().startswith("{"):
            raw = json.loads(value)
        else:
            path = Path(value).expanduser()
            text = path.read_text()
            raw = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        if not isinstance(raw, dict):
            raise BadRegistry("LLM_MODELS is no table of names")
        return raw
    except OSError as error:
        raise BadRegistry(f"LLM_MODELS cannot be read: {error}") from error
    except ValueError as error:
        raise BadRegistry(f"LLM_MODELS is neither JSON nor TOML: {error}") from error
