"""The voice of a stack for callers who speak Chinese: Kokoro's, where espeak-ng's is hard to understand."""

from dialtone.local.settings import checkout

CHINESE_VOICES = checkout() / "deploy" / "local" / "chinese.toml"
CHINESE_MODELS = ("kokoro-v1.0-int8", "kokoro-v1.0-voices")
"""What those voices need beside the stack's other models: names of the manifest."""
CHINESE_SPEED = {"TTS_THREADS": "2", "TTS_PARALLEL": "1"}
"""Settings of the speech service for Kokoro on two cores: a phrase that has both of them is there sooner."""
