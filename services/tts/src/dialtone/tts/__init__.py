"""Voices: turns the sentences of an answer into audio."""

import os

# ONNX Runtime reports its use to its makers, unless it is told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
