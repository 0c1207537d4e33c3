"""Which backend serves a model's name.

A name is looked up in LLM_MODELS, where it may stand for a list of others, then among the entries that the
convenience variables add; an exact name goes before a pattern. No name, "default", and names of OpenAI's that
are not served (a client of the Realtime protocol has to name one, such as "gpt-realtime") mean the default;
any other name is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from dialtone.bus import WorkError
from dialtone.llm.backend import ChatBackend
from dialtone.llm.limits import Limits
from dialtone.llm.listed import Listed
from dialtone.llm.model_entry import ModelEntry
from dialtone.llm.settings import LlmSettings
from dialtone.v1.offers_pb2 import Offer
from dialtone.vendors.registry import (
    ModelNames,
    is_pattern,
    matches,
    names_in,
    read_lines,
    refuse_plain,
)

_REALTIME_NAMES = ("gpt-realtime*", "gpt-4o*realtime*", "gpt-*audio*")
_OPENAI_NAMES = ("gpt-*", "chatgpt-*", "o1*", "o3*", "o4*")
_MINIMAX_SIGHTED = "MiniMax-M3*"  # M2 and older are text only
# A small model on a CPU is slow to begin when its prompt is new.
_LOCAL_LIMITS = Limits(first_token_s=20.0, inter_token_s=10.0)
_LOCAL_TEMPERATURE = 0.3  # small models ramble above it


Lines = Mapping[str, ModelEntry | tuple[str, ...]]
"""Name or pattern -> how it is reached, or names to try in turn."""


class ModelRegistry:
    """The lines with their backends. `build` makes the backend of an entry. Raises BadRegistry."""

    def __init__(
        self, lines: Lines, default: tuple[str, ...], build: Callable[[ModelEntry], ChatBackend]
    ) -> None:
        self._lines = dict(lines)
        self._default_names = default
        self._names = ModelNames("LLM", lines, default, build)

    @property
    def default(self) -> Sequence[Listed]:
        """Who answers where a session names nobody, to be asked one after the other."""
        return [Listed(found.built, found.model) for found in self._names.default]

    @property
    def offers(self) -> list[Offer]:
        """The names that are served, the default first. Those that a pattern serves cannot be listed."""
        lines = (name for name in self._lines if not is_pattern(name))
        names = dict.fromkeys([*self._default_names, *lines])
        return [Offer(name=name, is_default=name == self._default_names[0]) for name in names]

    def choose(self, name: str) -> Sequence[Listed]:
        """Return what serves a session's model, to be asked one after the other. WorkError("model_not_found")
        where nothing does."""
        asked = name.strip()
        if asked.lower() in ("", "default"):
            return self.default
        # Models of the Realtime protocol are no chat models, whatever pattern they match.
        if asked not in self._lines and matches(asked, _REALTIME_NAMES):
            return self.default
        if listed := self._names.of(asked):
            return [Listed(found.built, found.model) for found in listed]
        if matches(asked, _OPENAI_NAMES):
            return self.default
        raise WorkError("model_not_found", f"llm: no model {name[:64]!r} is served here (model)")

    async def load(self) -> None:
        """Load what has to be loaded before the first turn."""
        for backend in self.backends:
            await backend.load()

    async def close(self) -> None:
        """Close every backend."""
        for backend in self.backends:
            await backend.close()

    @property
    def backends(self) -> Sequence[ChatBackend]:
        """Every backend, once."""
        return self._names.built


def lines_of(settings: LlmSettings) -> tuple[dict[str, ModelEntry | tuple[str, ...]], tuple[str, ...]]:
    """Return the registry's lines and the names of the default. Raises BadRegistry."""
    lines = read_lines("LLM_MODELS", settings.llm_models, ModelEntry)
    default = names_in(settings.llm_default_model)
    if settings.require_tls:
        refuse_plain(lines)
    if settings.stages == "simulated":
        simulated = ModelEntry(backend="simulated", model="simulated")
        return {**lines, "*": lines.get("*", simulated)}, default or ("simulated",)
    default = default or ("local",)

    def add(name: str, entry: ModelEntry) -> None:
        lines.setdefault(name, entry)

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
    named = {name for line in lines.values() if isinstance(line, tuple) for name in line}
    if "local" in {*default, *named} or "llm_local_model" in settings.model_fields_set:
        local = ModelEntry(
            backend="local",
            model=settings.llm_local_model,
            temperature=_LOCAL_TEMPERATURE,
            limits=_LOCAL_LIMITS,
        )
        add("local", local)
        add(settings.llm_local_model, local)
    add("simulated", ModelEntry(backend="simulated"))
    if settings.require_tls:
        refuse_plain(lines)
    return lines, default
