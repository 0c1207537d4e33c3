"""The trace of a turn, named by what all stages know: no stage has to tell another."""

import hashlib


def traceparent(*of: str | int) -> str:
    """The context of the turn that these ids name; the same for the same ids."""
    trace_id = hashlib.blake2b("/".join(map(str, of)).encode(), digest_size=16).hexdigest()
    return f"00-{trace_id}-{trace_id[16:]}-01"


def trace_id_of(context: str) -> str:
    """The trace's id, 32 hexadecimal digits, of a traceparent; empty for none."""
    return context[3:35]
