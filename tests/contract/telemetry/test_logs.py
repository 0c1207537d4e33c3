"""A log line is one line whatever is in it, and bears the call that it is about."""

import json
import logging

import pytest

from dialtone.telemetry import bind_call, configure_logging, get_logger

INJECTION = 'x\r\n{"event": "forged"}\n\x1b[31m\x9b31m\u2028\x00end'


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_a_client_sends_cannot_forge_a_line_or_move_the_cursor(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("test", form=form)
    get_logger("m").info("heard", subject=INJECTION, more=[INJECTION], raw=INJECTION.encode())
    logging.getLogger("library").warning("library says %s", INJECTION)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 2
    assert len(err.splitlines()) == 2
    assert not any(ord(char) < 32 or 0x7F <= ord(char) <= 0x9F for char in err.replace("\n", ""))


def test_json_lines_bear_service_call_and_exception(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("asr", form="json")
    with bind_call(call_id="c1", session_id="s1"):
        try:
            raise ValueError("broken\nin two")
        except ValueError:
            get_logger("m").exception("it broke", attempt=2)
    get_logger("m").info("after")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["service"], first["call_id"], first["session_id"]) == ("asr", "c1", "s1")
    assert (first["level"], first["event"], first["attempt"]) == ("error", "it broke", 2)
    assert "ValueError: broken\nin two" in first["exception"]
    assert "call_id" not in second


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("asr", level="warning")
    get_logger("m").info("quiet")
    logging.getLogger("library").info("quiet")
    get_logger("m").warning("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]
