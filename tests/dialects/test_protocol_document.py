"""docs/protocol.md says of every event and session field what the code does with it, and of no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types import beta, realtime
from openai.types.beta.realtime.response_create_event import Response as BetaOptions
from openai.types.beta.realtime.session_update_event import Session as BetaSession
from openai.types.beta.realtime.transcription_session_update import Session as BetaTranscriptionSession
from openai.types.realtime.realtime_response_create_params import RealtimeResponseCreateParams as GaOptions

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.session import Extensions, SessionConfig
from dialtone.gateway.core.session_update import merge_session
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.gateway.dialects.realtime_beta import RealtimeBetaDialect
from dialtone.gateway.dialects.realtime_beta_decode import BETA_EVENTS
from dialtone.gateway.dialects.realtime_decode import GA_EVENTS
from tests.dialects.error_codes import codes_of_errors
from tests.dialects.protocol_tables import DOCUMENT, all_paths, leaves, names, table
from tests.dialects.server_events import EVENTS
from tests.dialects.session_samples import updates
from tests.fixtures.sdk_types import by_type

Dialect = RealtimeDialect | RealtimeBetaDialect

GA_SESSIONS = (realtime.RealtimeSessionCreateRequest, realtime.RealtimeTranscriptionSessionCreateRequest)
BETA_SESSIONS = (BetaSession, BetaTranscriptionSession)
EFFECTS = ("applies", "shown", "passed over", "refused")


# --- client events


def test_every_client_event_of_the_sdk_is_in_the_table_with_what_the_code_does() -> None:
    rows = {names(row["event"])[0]: row for row in table("### Client events", "event", "GA", "beta")}
    sdk = {
        "GA": by_type(realtime.RealtimeClientEvent),
        "beta": by_type(beta.realtime.RealtimeClientEvent),
    }
    assert set(rows) == set(sdk["GA"]) | set(sdk["beta"])
    for dialect, read in (("GA", GA_EVENTS), ("beta", BETA_EVENTS)):
        for name, row in rows.items():
            assert (name in read) == (name in sdk[dialect])
            does = "refused" if _refused(dialect, name) else "yes"
            assert row[dialect] == (does if name in read else "–"), f"{name} in {dialect}"


def _refused(dialect: str, name: str) -> bool:
    """As an event whatever its members are."""
    decode = (RealtimeDialect() if dialect == "GA" else RealtimeBetaDialect()).decode
    event = decode(json.dumps({"type": name}))
    return isinstance(event, ask.Invalid) and event.param == "type"


# --- server events


@pytest.mark.parametrize(
    ("column", "dialect", "union"),
    [
        ("GA", RealtimeDialect(), realtime.RealtimeServerEvent),
        ("beta", RealtimeBetaDialect(), beta.realtime.RealtimeServerEvent),
    ],
    ids=["ga", "beta"],
)
def test_every_server_event_of_the_sdk_is_in_a_table_and_those_that_are_sent_in_the_first(
    column: str, dialect: Dialect, union: Any
) -> None:
    documented = {name for row in table("### Server events", "GA", "beta") for name in names(row[column])}
    own = [
        out.PartialTranscript("item_1", "he"),
        out.TurnMetrics("resp_1", None, out.TurnTiming()),
        out.SentenceSpoken("resp_1", 0, "x"),
    ]
    sent = {json.loads(frame)["type"] for event in [*EVENTS, *own] for frame in dialect.encode(event)}
    assert documented == sent
    unsent = {
        name
        for row in table("### Server events", "event", "dialect")
        if row["dialect"] in (column, "both")
        for name in names(row["event"])
    }
    assert not unsent & sent
    assert unsent <= set(by_type(union))
    assert set(by_type(union)) <= documented | unsent


# --- session fields


def effect(dialect: Dialect, path: str) -> str:
    """What naming this field in an update does: `changes` the session, `passed over` or `refused`."""
    configs = []
    for patch in updates(path):
        event = dialect.decode(json.dumps({"type": "session.update", "session": patch}))
        assert isinstance(event, ask.UpdateSession)
        config, wrong = merge_session(SessionConfig(), event.patch)
        if [*event.errors, *wrong]:
            return "refused"
        configs.append(config)
    return "passed over" if configs[0] == configs[1] else "changes"


SESSION_ROWS = table("### Session fields", "GA", "beta")


@pytest.mark.parametrize(
    ("column", "sessions"), [("GA", GA_SESSIONS), ("beta", BETA_SESSIONS)], ids=["ga", "beta"]
)
def test_every_session_field_of_the_sdk_is_in_the_table(column: str, sessions: tuple[Any, ...]) -> None:
    documented = [name for row in SESSION_ROWS for name in names(row[column])]
    assert len(documented) == len(set(documented))
    needed = set().union(*map(leaves, sessions))
    assert not needed - set(documented), f"not in the table: {sorted(needed - set(documented))}"
    known = set().union(*map(all_paths, sessions)) | ({"include"} if column == "beta" else set())
    assert not set(documented) - known, f"no such field: {sorted(set(documented) - known)}"


# It is the only one.
RATES = {"audio.input.format.rate", "audio.output.format.rate"}


@pytest.mark.parametrize(
    ("column", "path", "here"),
    [
        (column, path, row["here"])
        for row in SESSION_ROWS
        for column in ("GA", "beta")
        for path in names(row[column])
        if path not in RATES
    ],
)
def test_a_session_field_does_what_the_table_says(column: str, path: str, here: str) -> None:
    said = next(effect for effect in EFFECTS if here.startswith(effect))
    expected = "changes" if said in ("applies", "shown") else said
    dialect: Dialect = RealtimeDialect() if column == "GA" else RealtimeBetaDialect()
    # A session's own type may be named; another is what the sample names.
    assert effect(dialect, path) == ("refused" if path == "type" else expected)


@pytest.mark.parametrize("path", sorted(RATES))
def test_the_only_rate_of_the_table_is_the_only_one_taken(path: str) -> None:
    assert effect(RealtimeDialect(), path) == "passed over"
    named, _ = updates(path)
    _, wrong = merge_session(SessionConfig(), json.loads(json.dumps(named).replace("24000", "16000")))
    assert [error.param for error in wrong] == [f"session.{path}"]


def test_the_table_of_extensions_has_their_members() -> None:
    rows = table("#### `dialtone`", "member of `dialtone`")
    documented = {name for row in rows for name in names(row["member of `dialtone`"])}
    assert documented == set(Extensions.__struct_fields__)


# --- options of a response


def test_every_option_of_a_response_is_in_the_table() -> None:
    rows = table("### Responses", "GA", "beta")
    ga = {name for row in rows for name in names(row["GA"])}
    flat = {name for row in rows for name in names(row["beta"])}
    top = {path.split(".")[0] for path in ga}
    assert set(GaOptions.model_fields) == top - {"temperature"}
    # `max_output_tokens` is the earlier name, in no type any more.
    assert set(BetaOptions.model_fields) == flat - {"max_output_tokens"}


# --- errors


def test_every_code_of_an_error_is_in_the_document() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").partition("## /chat/voice_call")[0]
    missing = {code for code in codes_of_errors() if f"`{code}`" not in text}
    # `input_ended` is of the voice_call protocol, which tells no codes.
    assert missing == {"input_ended"}
