"""Voices: turns the sentences of an answer into audio."""
