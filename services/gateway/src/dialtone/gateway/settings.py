"""What the gateway is told by its environment: the variable of a field is its name in upper case."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from dialtone.gateway.ids import is_client_id
from dialtone.settings import ServiceSettings

_SHORTEST_KEY = 16
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.\-\[\]:_]+")  # lower case, no path, no star
SECRET_PREFIX = "ek_"  # of ephemeral secrets
OPEN_TENANT = "default"  # of keys that name none, and of everybody where there are no keys
DEFAULT_INSTRUCTIONS = (
    "You are a friendly voice assistant on a call. Answer in the user's language, in one or two short "
    "spoken sentences, without lists or markdown."
)
# Small models answer Chinese in English as often as not when they are told in English what to do.
DEFAULT_INSTRUCTIONS_ZH = (
    "你是电话里友好的语音助手。请用用户的语言，以一两句简短的口语回答，不要用列表或 Markdown。"
)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_api_key(entry: str) -> tuple[str, str]:
    """The tenant and the key of an entry of `api_keys`."""
    tenant, separator, key = entry.rpartition(":")
    return (tenant, key) if separator else (OPEN_TENANT, key)


def check_api_key(entry: str) -> None:
    """Raises ValueError, which does not repeat the key, for what is no entry of `api_keys`."""
    tenant, key = split_api_key(entry)
    if not is_client_id(tenant):
        raise ValueError("the tenant before a key is to be 1 to 64 letters, digits, _ or -")
    if key.startswith(SECRET_PREFIX):
        raise ValueError(f"a key may not begin with {SECRET_PREFIX}, as ephemeral secrets do")
    if len(key) < _SHORTEST_KEY:
        raise ValueError(f"a key is to have at least {_SHORTEST_KEY} characters")


def read_key_file(path: Path) -> tuple[SecretStr, ...]:
    """The entries of a file of keys. Raises OSError, ValueError."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    entries = [line for line in lines if line and not line.startswith("#")]
    for entry in entries:
        check_api_key(entry)
    return tuple(map(SecretStr, entries))


class GatewaySettings(ServiceSettings):
    """Settings of the gateway."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True, hide_input_in_errors=True)

    http_host: str = "127.0.0.1"
    """Address that clients connect to. Any but a loopback address needs `api_keys`."""
    http_port: int = Field(default=8000, ge=0, le=65535)
    """Port that clients connect to; 0 takes any free one."""
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of `/metrics` alone, at the same address. 0: at `http_port`, if that is a loopback address;
    where clients come from elsewhere, it is not served then."""
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Keys that clients may present, separated by commas; each `tenant:key`, or `key` for the tenant
    "default". With none, on a loopback address, everybody is the tenant "default"."""
    api_keys_file: Path | None = None
    """File of further keys, one a line, which is read again every second: keys that are taken out of it
    end at once, with their calls. With such a file nobody comes in without a key, even if it is empty."""
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins of the pages that may open calls from a browser, separated by commas, such as
    `https://app.example`. With none, nothing that comes from a page is let in but the gateway's own."""
    serve_page: bool = True
    """Whether the gateway serves a page to talk to it, at `/`, and lets that page in."""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses and networks of proxies, separated by commas, that say in X-Forwarded-For whom they speak
    for; of all others that header is passed over."""
    address_requests_per_minute: int = Field(default=3000, ge=0)
    """Requests, handshakes included, that may come from one address in a minute, a quarter of them at once;
    more are refused with 429. 0 sets no limit."""

    tenant_requests_per_minute: int = Field(default=6000, ge=0)
    """Requests, handshakes included, that may come with the keys and secrets of one tenant in a minute, from
    wherever, a quarter of them at once; more are refused with 429. Handshakes that go on with a session are
    counted by themselves, and as many may come at once as the tenant may have calls here. 0 sets no limit."""

    redis_url: str = "redis://127.0.0.1:6379/0"
    """Where live sessions and the call registry are kept."""
    redis_timeout_s: float = Field(default=0.5, gt=0)
    """Bound of every Redis command, connecting included."""
    database_url: str = "sqlite+aiosqlite:///dialtone.db"
    """Where sessions are kept for good: `sqlite+aiosqlite:///FILE` or
    `postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE`."""
    sql_timeout_s: float = Field(default=2.0, gt=0)
    """Bound of every SQL transaction, waiting for a connection included."""
    session_ttl_s: int = Field(default=86_400, ge=60)
    """How long a session stays in Redis after it was last used; SQL keeps it for good."""
    session_retention_days: float = Field(default=0, ge=0)
    """Days after its last use that a session is deleted, with its words; 1 at least. 0: never."""
    outbox_entries: int = Field(default=10_000, ge=1)
    """Writes that may wait in memory for SQL to come back."""
    outbox_bytes: int = Field(default=64 * 2**20, ge=2**20)
    """Bytes that the waiting writes may hold, as JSON."""
    call_claim_ttl_s: float = Field(default=5.0, gt=0)
    """A gateway that Redis has not heard from for this long has lost the sessions of its calls."""
    session_takeover: Literal["take_over", "refuse"] = "take_over"
    """What happens when a client calls with a session that has a live call: the new call takes it over
    and the old one is closed, or the new one is refused with 409."""
    max_client_secrets: int = Field(default=10_000, ge=1)
    """Ephemeral secrets of one tenant that may live at once; more are refused with 429."""

    max_calls: int = Field(default=200, ge=1)
    """Calls that this gateway takes at once; more are refused with 503."""
    max_calls_per_tenant: int = Field(default=0, ge=0)
    """Calls of one tenant that this gateway takes at once; more are refused with 429. 0: all of MAX_CALLS."""
    messages_per_second: int = Field(default=1000, ge=100)
    """Frames of one client, pings included, that are read in a second; further ones wait on its side."""
    message_timeout_s: float = Field(default=10.0, gt=0)
    """How long a message of up to 1 MiB may take to come whole, beside a second for each 32 KiB of it; then
    its call is ended."""
    wrong_messages_per_minute: int = Field(default=100, ge=1)
    """Messages that are no event of the protocol which one client may send in a minute; then its call is
    ended."""
    call_idle_s: float = Field(default=1800.0, gt=0)
    """How long a client may send nothing; then its call is ended."""
    max_message_bytes: int = Field(default=21 * 2**20, ge=1024)
    """Largest WebSocket message of a client; the socket of a larger one is closed. The default
    holds the protocol's 15 MiB of audio, in base64."""
    large_messages: int = Field(default=4, ge=1)
    """Messages of more than 1 MiB that may be on their way in at once, those of all clients together;
    further ones are not read until there is room. Each takes several times its size for a moment."""
    large_message_s: float = Field(default=120.0, gt=0)
    """How long one of those may take to come; after that its connection is closed."""
    max_body_bytes: int = Field(default=2**20, ge=1024)
    """Largest body of an HTTP request."""
    outbound_buffer_bytes: int = Field(default=4 * 2**20, ge=65_536)
    """Bytes that may wait for a client that reads slowly; with more, its call is ended. What is sent
    ahead of playback (seconds and two sentences, in base64) must fit."""
    send_timeout_s: float = Field(default=10.0, gt=0)
    """How long one frame may take to be taken by a client; after that its call is ended."""
    request_timeout_s: float = Field(default=10.0, gt=0)
    """How long a request may take to come whole, a WebSocket's handshake included; a connection without
    one is closed then."""
    ping_s: float = Field(default=5.0, gt=0)
    """Seconds between the pings of a connection, and for the answer to one: a client that vanished is
    taken for gone within twice that."""
    tcp_user_timeout_s: float = Field(default=10.0, gt=0)
    """How long data that was sent may stay unacknowledged: only this ends the connection of a client
    that vanished while it was being sent to."""
    call_max_s: float = Field(default=3600.0, gt=0)
    """Longest that one call may last."""
    call_max_beta_s: float = Field(default=1800.0, gt=0)
    """Longest that a call of the Realtime protocol's beta dialect may last."""

    record_calls_dir: Path | None = None
    """Folder for a recording of every call, which `python -m dialtone.gateway.replay` runs again; none
    are made without. A recording holds the audio and the text of all who speak, readable to this user."""
    record_calls_max_bytes: int = Field(default=256 * 2**20, ge=2**20)
    """Largest recording of one call; what comes after is left out."""

    default_instructions: str = DEFAULT_INSTRUCTIONS
    """System instructions of sessions that bring none."""
    default_instructions_zh: str | None = None
    """What models are told in place of those while the user speaks Chinese; empty: the same. Not given: our
    own in Chinese, unless `default_instructions` are the operator's."""
    candidate_pause_ms: int = Field(default=250, ge=0, le=10_000)
    """Pause after which the answer to a turn is begun on suspicion that the turn is over; 0 never does.
    A session's own setting goes before it."""
    interrupt_min_speech_ms: int = Field(default=0, ge=0, le=10_000)
    """Speech over an answer that is shorter does not interrupt it; 0: every speech does. A session's own
    setting goes before it."""
    interrupt_min_words: int = Field(default=0, ge=0, le=20)
    """Words that speech over an answer needs to interrupt it; 0: it need not be understood. A session's
    own setting goes before it."""
    requests_per_minute: int = Field(default=600, ge=0)
    """Responses that one call may ask for in a minute; its client is told what is left. 0 sets no limit."""
    tokens_per_minute: int = Field(default=4_000_000, ge=0)
    """Tokens that the responses of one call may use in a minute. 0 sets no limit."""
    tenant_tokens_per_minute: int = Field(default=40_000_000, ge=0)
    """Tokens that the responses of all calls of one tenant at this gateway may use in a minute. 0 sets no
    limit."""
    audio_at_once_s: float = Field(default=3600.0, ge=0)
    """Seconds of audio that a client may send in a call beyond 1.2 times what the call has lasted, as
    recordings; with more its call is ended. 0 sets no limit."""
    conversation_items: int = Field(default=10_000, ge=1)
    """Items of a conversation up to which a client may add its own."""
    conversation_bytes: int = Field(default=4 * 2**20, ge=1024)
    """Bytes of text and images in a conversation up to which a client may add its own."""
    bus_away_s: float = Field(default=15.0, gt=0)
    """How long calls wait for a broker that is away; then they end, and clients may call again."""
    work_claim_timeout_asr_s: float = Field(default=8.0, gt=0)
    """Ears that no worker has taken up in this time end the call as overloaded."""
    work_claim_timeout_llm_s: float = Field(default=5.0, gt=0)
    """A turn that no worker has taken up in this time ends its response as overloaded."""
    work_claim_timeout_tts_s: float = Field(default=5.0, gt=0)
    """A sentence that no worker has taken up in this time is delivered as text alone."""
    work_claim_timeout_moshi_s: float = Field(default=8.0, gt=0)
    """A call for Moshi that no worker has taken up in this time ends as overloaded."""
    moshi_variants: Annotated[tuple[str, ...], NoDecode] = ()
    """Variants of Moshi that calls may have, separated by commas: `sft`, `base`, `pretrain`. With none,
    models of that name are refused."""
    moshi_warm_s: float = Field(default=4.0, ge=0, le=30)
    """Of what was heard of a call, the last seconds with which a new Moshi is warmed up when the one before
    is lost; and how far behind its caller it may begin."""

    @property
    def chinese_instructions(self) -> str:
        """`default_instructions` for users who speak Chinese, empty where they are the same."""
        if self.default_instructions_zh is not None:
            return self.default_instructions_zh
        return DEFAULT_INSTRUCTIONS_ZH if self.default_instructions == DEFAULT_INSTRUCTIONS else ""

    @property
    def needs_keys(self) -> bool:
        """Whether a client has to have a key to come in."""
        return bool(self.api_keys) or self.api_keys_file is not None

    @property
    def metrics_are_public(self) -> bool:
        """Whether whoever may reach the gateway may read its metrics."""
        return self.metrics_port == 0 and is_loopback(self.http_host)

    @field_validator("api_keys", "allowed_origins", "trusted_proxies", "moshi_variants", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(entry.strip() for entry in value.split(",") if entry.strip())
        return value

    @field_validator("record_calls_dir", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        """Compose sets a variable that it has no value for; `Path("")` would be the working folder."""
        return None if value == "" else value

    @field_validator("allowed_origins")
    @classmethod
    def _exact_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError(
                "an origin is to be as browsers send it: https://app.example or http://host:port"
            )
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _proxy_addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ipaddress.ip_network(proxy)  # a ValueError says what is wrong
        return proxies

    @field_validator("moshi_variants")
    @classmethod
    def _known_variants(cls, variants: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(variants) - {"sft", "base", "pretrain"}:
            raise ValueError(f"there is no {sorted(unknown)[0]!r}: the variants are sft, base and pretrain")
        return variants

    @field_validator("api_keys")
    @classmethod
    def _usable_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for entry in keys:
            check_api_key(entry.get_secret_value())
        return keys

    @field_validator("api_keys_file")
    @classmethod
    def _readable_keys(cls, path: Path | None) -> Path | None:
        if path is not None:
            try:
                read_key_file(path)
            except OSError as error:
                raise ValueError(f"cannot be read: {error.strerror}") from error
        return path

    @model_validator(mode="after")
    def _stores_by_tls(self) -> Self:
        if not self.require_tls:
            return self
        redis, database = urlsplit(self.redis_url), urlsplit(self.database_url)
        if redis.scheme != "rediss" or {"none", "optional"} & set(
            parse_qs(redis.query).get("ssl_cert_reqs", ())
        ):
            raise ValueError(
                "REQUIRE_TLS is set, and REDIS_URL is not rediss:// with its certificates verified"
            )
        if database.scheme.startswith("postgresql") and parse_qs(database.query).get("ssl") != [
            "verify-full"
        ]:
            raise ValueError("REQUIRE_TLS is set, and DATABASE_URL does not end in ?ssl=verify-full")
        return self

    @field_validator("session_retention_days")
    @classmethod
    def _no_call_outlasts_it(cls, days: float) -> float:
        if 0 < days < 1:
            raise ValueError("sessions are kept for a day at least, or until they are deleted (0)")
        return days

    @model_validator(mode="after")
    def _never_open_to_others(self) -> Self:
        if not self.needs_keys and not is_loopback(self.http_host):
            raise ValueError(
                f"host {self.http_host!r} can be reached from elsewhere: set API_KEYS, or bind to 127.0.0.1"
            )
        return self
