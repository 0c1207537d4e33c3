"""The audio of the user's latest items, for a client that asks for it back."""

from __future__ import annotations

from .session import AudioFormat


class ItemAudio:
    """Holds at most `bound` bytes in all; the newest items win. It is never stored."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._held = 0
        self._audio: dict[str, tuple[AudioFormat, bytes]] = {}

    def keep(self, item_id: str, form: AudioFormat, audio: bytes) -> None:
        if not 0 < len(audio) <= self._bound:
            return
        self._audio[item_id] = (form, audio)
        self._held += len(audio)
        while self._held > self._bound:
            self.forget(next(iter(self._audio)))

    def get(self, item_id: str, form: AudioFormat) -> bytes | None:
        """The audio of the item in this format, if it is here and is in this format."""
        kept_form, audio = self._audio.get(item_id, (form, None))
        return audio if kept_form == form else None

    def forget(self, item_id: str) -> None:
        _, audio = self._audio.pop(item_id, (None, b""))
        self._held -= len(audio)
