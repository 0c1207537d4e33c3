"""The text of a stream of SentencePiece tokens, as it comes."""

from __future__ import annotations

import codecs
from typing import Protocol


class Pieces(Protocol):
    """What is asked of a SentencePieceProcessor."""

    def id_to_piece(self, token: int) -> str:
        """ "▁" begins a word; a byte that is in no piece is written <0x0A>."""

    def is_byte(self, token: int) -> bool: ...

    def is_control(self, token: int) -> bool: ...

    def is_unknown(self, token: int) -> bool: ...


class TextStream:
    """The text of one call. A letter that takes several byte tokens comes with the last of them."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._bytes = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token: int) -> str:
        """Return what the token, which is none of padding, adds to the text."""
        if self._pieces.is_byte(token):
            return self._bytes.decode(bytes([int(self._pieces.id_to_piece(token)[3:5], 16)]))
        # A letter that was begun and is not gone on with: what is shown for it, then the piece.
        broken = self._bytes.decode(b"", final=True)
        self._bytes.reset()
        if self._pieces.is_control(token) or self._pieces.is_unknown(token):
            return broken
        return broken + self._pieces.id_to_piece(token).replace("▁", " ")
