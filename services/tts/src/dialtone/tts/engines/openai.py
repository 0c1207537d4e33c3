"""OpenAI's speech, and any server that speaks it: Kokoro-FastAPI, vLLM-Omni and others.

https://platform.openai.com/docs/api-reference/audio/createSpeech: with `response_format` `pcm` the body is
the samples alone, 16 bits, little-endian, mono, at 24 kHz, sent as they are made. Servers of others want
`stream` for that, which belongs in the voice's `extra`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, ClassVar

from dialtone.audio import Float32
from dialtone.tts.engines.abilities import Abilities
from dialtone.tts.engines.base import Style
from dialtone.tts.engines.entry import VendorVoice
from dialtone.tts.engines.limits import refuse_longer, speed_of
from dialtone.tts.engines.samples import Samples
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.requests import VendorHttp

_URL = "https://api.openai.com/v1"
_KINDS = ("audio/pcm", "audio/l16", "audio/raw", "application/octet-stream")
_LONGEST_TEXT = 4096  # characters
_SLOWEST, _FASTEST = 0.25, 4.0
# By the parameters that OpenAI's errors name.
_OF_PARAM = {"voice": "invalid_voice", "model": "model_not_found", "input": "unspeakable_text"}


class OpenAiEngine:
    """One voice of one server."""

    name: ClassVar = "openai"
    abilities: ClassVar = Abilities(
        where="OpenAI, or any server with `/v1/audio/speech`; HTTP",
        streams="yes",
        languages="as the model's; `language` in the entry says which it is given",
        speeds="0.25 to 4, others are refused",
        longest="4096 characters",
    )

    def __init__(self, entry: VendorVoice) -> None:
        self._entry = entry
        self._http = VendorHttp(entry, entry.base_url or _URL, refusal=_refusal)

    @property
    def sample_rate(self) -> int:
        """Of the audio that the server is said to send, in Hz."""
        return self._entry.sample_rate

    async def speak(self, text: str, style: Style) -> AsyncGenerator[Float32, None]:
        """Yield the audio as the server sends it; of the style, length scale and speed apply.

        Raises UpstreamFailure, or UnknownSpeaker.
        """
        request = self._request(text, style)
        parts = self._http.parts("audio/speech", self._entry.limits.patience(), _KINDS, json=request)
        samples = Samples(self.name, self._entry.gain)
        async with aclosing(parts):
            async for kind, part in parts:
                if not samples.taken:
                    self._check(kind)
                yield samples.feed(part)
        samples.end()

    async def warm_up(self) -> None:
        """Nothing is computed here, and each sentence is paid for."""

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.close()

    def _request(self, text: str, style: Style) -> dict[str, Any]:
        refuse_longer(text, _LONGEST_TEXT)
        speed = speed_of(style, _SLOWEST, _FASTEST)
        request: dict[str, Any] = {
            "model": self._entry.model,
            "voice": self._entry.voice,
            "input": text,
            "response_format": "pcm",
        }
        if speed != 1.0:  # some servers do not know the field
            request["speed"] = speed
        return request | self._entry.extra

    def _check(self, kind: str) -> None:
        """Raise UpstreamFailure for a content type that is not of the audio that the entry describes."""
        fields = (field.partition("=") for field in kind.split(";")[1:])
        rate = {name.strip(): value.strip(' "') for name, _, value in fields}.get("rate", "")
        if rate and rate != str(self.sample_rate):
            message = f"answered audio of {rate[:16]} Hz, its sample_rate is {self.sample_rate}"
            raise UpstreamFailure("bad_upstream", message)


def _refusal(status: int, error: dict[str, Any]) -> UpstreamFailure | None:
    if status not in (400, 404, 422):
        return None
    code = _OF_PARAM.get(str(error.get("param")))
    if error.get("code") == "string_above_max_length":
        code = "text_too_long"
    return UpstreamFailure(code, f"the server answered HTTP {status}") if code else None
