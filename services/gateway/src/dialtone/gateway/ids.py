"""Ids: 128 random bits that nobody can guess, and the form that an id given by a client must have."""

import re
import secrets
import string

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BITS = 128
_WIDTH = 22  # digits of base 62 that hold 128 bits
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def new_id(prefix: str) -> str:
    """A new id such as `item_4fWb...`: the prefix and 22 letters or digits."""
    number = secrets.randbits(_BITS)
    digits = []
    for _ in range(_WIDTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return f"{prefix}_{''.join(digits)}"


def is_client_id(value: str) -> bool:
    """Whether an id that a client gave may stand in keys and bus subjects."""
    return _CLIENT_ID.fullmatch(value) is not None
