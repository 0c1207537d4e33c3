"""Kokoro: a neural voice model for many languages, Chinese among them, in ONNX."""
