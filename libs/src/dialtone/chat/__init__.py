"""The messages that a text model is told: what belongs together where they have to be cut."""

from dialtone.chat.turns import split_steps, split_turns

__all__ = ["split_steps", "split_turns"]
