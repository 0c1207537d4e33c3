"""Moshi: full-duplex speech to speech, many calls at once from one model."""
