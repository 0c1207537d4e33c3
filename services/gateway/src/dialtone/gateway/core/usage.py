"""What a response used, in tokens that add up: total = input + output, and each = the sum of its parts.

Text tokens are those of the text model: the prompt, and what it wrote, as its server counted them. What
it did not tell, because it was stopped or does not count, is reckoned from the texts; a model that had
said nothing yet used nothing. An answer that took several attempts used what each of them did. Images are
among the text tokens where its server does not tell them apart.

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
        self._lost_in = self._lost_out = 0  # of attempts that were lost before they told
        self._given = ""  # what the present one goes on from

    def lost(self, text: str, calls: str = "") -> None:
        """An attempt has been lost; the answer was `text` by then, from which the next one goes on.

        `calls` it had written too, and they are thrown away.
        """
        written = text[len(self._given) :] + calls
        if written and self.asked is not None:
            self._lost_in += _tokens_of_turn(self.asked) + reckoned(self._given)
            self._lost_out += reckoned(written)
        self._given = text

    def told(self, usage: ModelUsage) -> None:
        """The text model's server has counted."""
        self._told.CopyFrom(usage)

    def total(self, *, written: str, spoken_us: int) -> out.Usage:
        """Of all so far, by all attempts; `written` is the answer, calls of tools included."""
        text_in, text_out = self._told.input_tokens, self._told.output_tokens
        if (rest := written[len(self._given) :]) and self.asked is not None:
            text_in = text_in or _tokens_of_turn(self.asked) + reckoned(self._given)
            text_out = text_out or reckoned(rest)
        text_in, text_out = text_in + self._lost_in, text_out + self._lost_out
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
