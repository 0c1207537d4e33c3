"""MiniMax's speech, t2a_v2.

https://platform.minimax.io/docs/api-reference/speech-t2a-http: with `stream` the audio comes as events, each
a JSON object whose `data.audio` is hexadecimal. The last one has `data.status` 2 and, where
`exclude_aggregated_audio` is not heeded, all of the audio once more. Errors come with HTTP 200, as a
`base_resp.status_code` that is not 0 (https://platform.minimax.io/docs/api-reference/errorcode), in place of
the stream or within it.

Over HTTP and not over MiniMax's WebSocket, which sends the same parts: that one takes a handshake and two
messages more before the first text, has one sentence at a time and ends when it is idle; here a connection
that the pool keeps serves the next sentence of any call.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel
from pydantic_settings import SettingsError

from dialtone.audio import Float32
from dialtone.tts.engines.abilities import Abilities
from dialtone.tts.engines.base import Style
from dialtone.tts.engines.entry import VendorVoice
from dialtone.tts.engines.limits import refuse_longer, speed_of
from dialtone.tts.engines.samples import Samples
from dialtone.vendors.answer import to_the_end
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.http import without_secret
from dialtone.vendors.minimax import CODES, URL, failure_of
from dialtone.vendors.objects import read_as
from dialtone.vendors.requests import VendorHttp

_RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100)  # Hz
_LONGEST_TEXT = 9_999  # characters
_LONGEST_EVENT = 16 << 20  # bytes: all of a sentence of minutes, where it is sent once more
_OPENING = 64  # bytes: what is all of the audio once more begins as the audio did
_SLOWEST, _FASTEST = 0.5, 2.0
_LAST = 2
_CODES = CODES | {
    1042: "unspeakable_text",
    2042: "invalid_voice",  # another's
    2054: "invalid_voice",  # "voice id not exist"; not in the reference's table
    20132: "invalid_voice",
}
_INVALID_PARAMS = 2013
# Which parameter it is about, its message alone says: "invalid params, unknown model 'x'".
_OF_MESSAGE = {
    "model_not_found": re.compile(r"(unknown|unsupported) model|model .*not exist", re.IGNORECASE),
    "invalid_voice": re.compile(r"voice", re.IGNORECASE),
}


class MiniMaxEngine:
    """One voice of MiniMax's."""

    name: ClassVar = "minimax"
    abilities: ClassVar = Abilities(
        where="MiniMax; HTTP",
        streams="yes",
        languages="as the model's; `language` in the entry says which it is given",
        speeds="0.5 to 2, others are refused",
        longest=f"{_LONGEST_TEXT} characters",
    )

    def __init__(self, entry: VendorVoice) -> None:
        """Raises SettingsError for a sample rate that MiniMax does not have."""
        if entry.sample_rate not in _RATES:
            rates = ", ".join(map(str, _RATES))
            raise SettingsError(f"minimax: sample_rate is {entry.sample_rate}, it has to be one of {rates}")
        self._entry = entry
        self._secret = entry.key()
        self._http = VendorHttp(entry, entry.base_url or URL, refusal=_refusal)

    @property
    def sample_rate(self) -> int:
        """Of the audio that is asked for, in Hz."""
        return self._entry.sample_rate

    async def speak(self, text: str, style: Style) -> AsyncGenerator[Float32, None]:
        """Yield the audio as the server sends it; of the style, length scale and speed apply.

        Raises UpstreamFailure, or UnknownSpeaker.
        """
        path, request = self._request(text, style)
        samples = Samples(self.name, self._entry.gain)
        opening = b""
        answer = self._http.objects(
            path, self._entry.limits.patience(), longest_event=_LONGEST_EVENT, json=request
        )
        async with aclosing(answer):
            async for said in answer:
                data = self._data(said)
                audio = _bytes(data.audio or "")
                if data.status == _LAST and len(audio) >= samples.taken and audio.startswith(opening):
                    audio = audio[samples.taken :]  # it is all of it once more
                opening += audio[: _OPENING - len(opening)]
                if audio:
                    yield samples.feed(audio)
                if data.status == _LAST:
                    samples.end()
                    await to_the_end(answer)
                    return
        raise UpstreamFailure("upstream_cut", "the audio broke off", again=True)

    async def warm_up(self) -> None:
        """Nothing is computed here, and each sentence is paid for."""

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.close()

    def _request(self, text: str, style: Style) -> tuple[str, dict[str, Any]]:
        """The path, and what is posted there."""
        refuse_longer(text, _LONGEST_TEXT)
        speed = speed_of(style, _SLOWEST, _FASTEST)
        entry = self._entry
        request: dict[str, Any] = {
            "model": entry.model,
            "text": text,
            "stream": True,
            "stream_options": {"exclude_aggregated_audio": True},
            "voice_setting": {"voice_id": entry.voice, "speed": speed},
            "audio_setting": {"format": "pcm", "sample_rate": entry.sample_rate, "channel": 1},
        }
        for name, value in entry.extra.items():
            known = request.get(name)
            request[name] = known | value if isinstance(known, dict) and isinstance(value, dict) else value
        # Accounts of old keys are told of in the address.
        group = request.pop("GroupId", "")
        return f"t2a_v2?GroupId={quote(str(group), safe='')}" if group else "t2a_v2", request

    def _data(self, said: dict[str, Any]) -> _Data:
        """Raise UpstreamFailure for an error, and for audio that is not as it was asked for."""
        event = read_as(_Event, said)
        if (status := event.base_resp) is not None and status.status_code:
            failure = _failure(status.status_code, status.status_msg)
            failure.detail = without_secret(status.status_msg, self._secret)
            raise failure
        rate = event.extra_info.audio_sample_rate if event.extra_info is not None else 0
        if rate and rate != self.sample_rate:
            message = f"answered audio of {rate} Hz, its sample_rate is {self.sample_rate}"
            raise UpstreamFailure("bad_upstream", message)
        if event.data is None and event.extra_info is None:
            raise UpstreamFailure("bad_upstream", "answered in another format: data")
        return event.data or _Data(status=_LAST)


class _Data(BaseModel):
    audio: str | None = None
    status: int = 1


class _BaseResp(BaseModel):
    status_code: int = 0
    status_msg: str = ""


class _ExtraInfo(BaseModel):
    audio_sample_rate: int = 0


class _Event(BaseModel):
    data: _Data | None = None
    base_resp: _BaseResp | None = None
    extra_info: _ExtraInfo | None = None


def _bytes(audio: str) -> bytes:
    try:
        return bytes.fromhex(audio)
    except ValueError:
        raise UpstreamFailure("bad_upstream", "answered audio that is not hexadecimal") from None


def _failure(status_code: int, message: str) -> UpstreamFailure:
    of_message = _of_message(message) if status_code == _INVALID_PARAMS else None
    codes = _CODES if of_message is None else {status_code: of_message}
    return failure_of(status_code, message, codes)


def _of_message(message: str) -> str | None:
    return next((code for code, words in _OF_MESSAGE.items() if words.search(message)), None)


def _refusal(status: int, error: dict[str, Any]) -> UpstreamFailure | None:
    if status == 404:
        return UpstreamFailure("bad_upstream", "answered that it has no t2a_v2 there")
    code = _of_message(str(error.get("message"))) if status in (400, 422) else None
    return UpstreamFailure(code, f"the server answered HTTP {status}") if code else None
