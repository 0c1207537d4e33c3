"""What a person sees of a process's log."""

import json

from dialtone.local.log_lines import readable


def test_a_json_entry_is_shown_in_words_with_its_details() -> None:
    line = json.dumps({"event": "ready", "level": "info", "timestamp": "x", "service": "tts", "slots": 4})
    assert readable(line) == ["info: ready (slots=4)"]


def test_a_traceback_has_lines_of_its_own() -> None:
    line = json.dumps({"event": "cannot start", "level": "error", "exception": "Traceback\n  here\nOops"})
    assert readable(line) == ["error: cannot start", "Traceback", "  here", "Oops"]


def test_other_lines_stay_as_they_are() -> None:
    for line in ("Server is ready", "[1] {", '["event"]', "12", ""):
        assert readable(line) == [line]
