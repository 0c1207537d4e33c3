"""JSON objects of a vendor's server, taken for what they are to be and for nothing else."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from dialtone.vendors.failures import UpstreamFailure

Said = TypeVar("Said", bound=BaseModel)

# With a bound, pydantic takes no text that is none in UTF-8: half of a surrogate pair, which JSON can write
# and nothing of ours can send on.
Text = Annotated[str, StringConstraints(max_length=1 << 16)]
Word = Annotated[str, StringConstraints(max_length=64)]
Seconds = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]


def object_of(data: str | bytes | bytearray) -> dict[str, Any]:
    """The object that these bytes are. Raises UpstreamFailure."""
    try:
        said = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError):  # the latter of what is nested without end
        raise UpstreamFailure("bad_upstream", "answered what is no JSON") from None
    if not isinstance(said, dict):
        raise UpstreamFailure("bad_upstream", "answered JSON that is no object")
    return said


def read_as(kind: type[Said], said: object) -> Said:
    """What was said as what it is to be. Raises UpstreamFailure, which says what of it is not."""
    try:
        return kind.model_validate(said)
    except ValidationError as wrong:
        where = ".".join(map(str, wrong.errors(include_input=False, include_url=False)[0]["loc"]))
        raise UpstreamFailure("bad_upstream", f"answered in another format: {where[:64]}") from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
