"""What a response used, in tokens that add up: total = input + output, and each = the sum of its parts.

Text tokens are those of the text model: the prompt, and what it wrote, as its server counted them. What
it did not tell, because it was stopped or does not count, is reckoned from the texts; a model that had
said nothing yet used nothing. Images are among the text tokens where its server does not tell them apart.

Audio tokens are those of the protocol: one for each 100 ms that the user spoke, counted once, by the
first response that had it in its context; and one for each 50 ms of speech that was sent.
"""

from __future__ import annotations

from dialtone.v1.common_pb2 import Usage as ModelUsage
from dialtone.v1.turn_pb2 import LlmTurn

from . import server_events as out

HEARD_US_PER_TOKEN = 100_000
SPOKEN_US_PER_TOKEN = 50_000
LETTERS_PER_TOKEN = 4


class UsageCount:
    """Of one response. `heard_us` is the user's speech that it is the first to have in its context."""

    def __init__(self) -> None:
        self.heard_us = 0
        self.asked: LlmTurn | None = None
        self._told = ModelUsage()

    def told(self, usage: ModelUsage) -> None:
        """The text model's server has counted."""
        self._told.CopyFrom(usage)

    def total(self, *, written: str, spoken_us: int) -> out.Usage:
        """Of all so far; `written` is all that the model wrote, calls of tools included."""
        text_in, text_out = self._told.input_tokens, self._told.output_tokens
        if written and self.asked is not None:
            text_in = text_in or _tokens_of_turn(self.asked)
            text_out = text_out or reckoned(written)
        cached = min(self._told.cached_tokens, text_in)
        images = min(self._told.image_tokens, text_in - cached)  # which of them are cached, nobody tells
        audio_in = -(-self.heard_us // HEARD_US_PER_TOKEN)
        audio_out = -(-spoken_us // SPOKEN_US_PER_TOKEN)
        return out.Usage(
            total_tokens=text_in + audio_in + text_out + audio_out,
            input_tokens=text_in + audio_in,
            output_tokens=text_out + audio_out,
            input_token_details=out.InputTokens(
                text_tokens=text_in - images,
                image_tokens=images,
                audio_tokens=audio_in,
                cached_tokens=cached,
                cached_tokens_details=out.CachedTokens(text_tokens=cached),
            ),
            output_token_details=out.OutputTokens(text_tokens=text_out, audio_tokens=audio_out),
        )


def reckoned(text: str) -> int:
    """About how many tokens a text has: one for four letters, or for a character of a wide script."""
    wide = (len(text.encode("utf-8", "replace")) - len(text)) // 2
    return wide + -(-(len(text) - wide) // LETTERS_PER_TOKEN)


def _tokens_of_turn(turn: LlmTurn) -> int:
    texts = [text for m in turn.messages for text in (m.text, *(c.name + c.arguments for c in m.tool_calls))]
    texts += [tool.name + tool.description + tool.parameters_json for tool in turn.tools]
    return sum(map(reckoned, texts))
