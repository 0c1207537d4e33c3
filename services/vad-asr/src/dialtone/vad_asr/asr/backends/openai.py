"""OpenAI's audio transcriptions, and any server that speaks them.

https://platform.openai.com/docs/api-reference/audio/createTranscription: a form with the file; with `stream`
the text comes as events `transcript.text.delta`, then `transcript.text.done` with all of it. whisper-1 and
many other servers ignore `stream` and answer JSON. vLLM streams `transcription.chunk`s, which are made like
those of chat completions, and ends with `[DONE]`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, ClassVar

from pydantic import BaseModel

from dialtone.vad_asr.asr.abilities import Abilities
from dialtone.vad_asr.asr.backend import PassageListener, Question, refuse_unheard_of
from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.asr.languages import primary_subtag
from dialtone.vad_asr.asr.recognition import Recognition
from dialtone.vad_asr.asr.wave import wave_file
from dialtone.vendors.answer import to_the_end
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.objects import Text, Word, read_as
from dialtone.vendors.requests import VendorHttp

_URL = "https://api.openai.com/v1"
# By the codes and parameters of OpenAI's errors.
_OF_PARAM = {"language": "unsupported_language", "model": "model_not_found", "file": "invalid_audio"}


class OpenAiBackend:
    """Requests to one server, by the entry's settings."""

    name: ClassVar = "openai"
    abilities: ClassVar = Abilities(
        where="OpenAI, or any server with `/v1/audio/transcriptions`; HTTP",
        live=False,
        ends_turns=False,
        words_as_they_come=True,
        languages="as the model's",
        detects_language="yes, and says which with gpt-transcribe",
        prompt="taken",
        key="`ASR_OPENAI_API_KEY`",
        models="`openai`, `openai/*`, `gpt-*`, `whisper-1`",
    )

    def __init__(self, entry: AsrEntry) -> None:
        self._http = VendorHttp(entry, entry.base_url or _URL, refusal=_refusal)
        self._limits = entry.limits
        self._extra = {name: _form(value) for name, value in entry.extra.items()}
        self.idle = entry.partials

    def listen(self) -> PassageListener:
        return PassageListener(self.hear)

    async def hear(self, question: Question) -> AsyncGenerator[Recognition, None]:
        """Send the passage, pass on the text. See `Listener.hear`."""
        passage = question.passage
        refuse_unheard_of(passage)
        begun = time.monotonic()
        fields = {"model": question.model, "response_format": "json", "stream": "true"}
        if passage.language:
            fields["language"] = primary_subtag(passage.language)
        if prompt := passage.prompt.strip():
            fields["prompt"] = prompt
        file = ("speech.wav", wave_file(passage.samples), "audio/wav")
        form: dict[str, Any] = {"data": fields | self._extra, "files": {"file": file}}
        answer = self._http.objects("audio/transcriptions", self._limits.patience(passage), **form)

        def recognised(text: str, language: str = "", *, partial: bool = False) -> Recognition:
            took_us = round((time.monotonic() - begun) * 1e6)
            return Recognition(text.strip(), language or passage.language, took_us, partial=partial)

        text = ""
        finished = strange = False
        async with aclosing(answer):
            async for said in answer:
                if (whole := _whole(said)) is not None:
                    await to_the_end(answer)
                    yield recognised(*whole)
                    return
                delta, ends = _delta(said)
                text += delta
                finished = finished or ends
                strange = strange or not (delta or ends)
                if delta:
                    yield recognised(text, partial=True)
        if strange and not (text or finished):
            raise UpstreamFailure("bad_upstream", "answered with events that are none of a transcription")
        if not finished:
            raise UpstreamFailure("upstream_cut", "the words broke off", again=True)
        yield recognised(text)

    async def close(self) -> None:
        await self._http.close()


def _whole(said: dict[str, Any]) -> tuple[str, str] | None:
    """All of the text and its language, of the stream's last event or of an answer that is none."""
    kind = said.get("type")
    if kind != "transcript.text.done" and (kind is not None or "object" in said):
        return None
    done = read_as(_Done, said)
    first = (done.languages or [""])[0]
    code = first.code if isinstance(first, _Language) else first
    return done.text, code.partition("-")[0].lower()


def _delta(said: dict[str, Any]) -> tuple[str, bool]:
    """More text, and whether it is the last; what is of neither kind of stream adds nothing."""
    if said.get("type") == "transcript.text.delta":
        return read_as(_Delta, said).delta, False
    if said.get("object") == "transcription.chunk":
        choices = read_as(_Chunk, said).choices
        return (choices[0].delta.content or "", bool(choices[0].finish_reason)) if choices else ("", False)
    return "", False


class _Language(BaseModel):
    code: Word


class _Done(BaseModel):
    text: Text
    languages: list[_Language | Word] | None = None


class _Delta(BaseModel):
    delta: Text


class _ChunkDelta(BaseModel):
    content: Text | None = None


class _Choice(BaseModel):
    delta: _ChunkDelta = _ChunkDelta()
    finish_reason: Word | None = None


class _Chunk(BaseModel):
    choices: list[_Choice]


def _refusal(status: int, error: dict[str, Any]) -> UpstreamFailure | None:
    if status != 400:
        return None
    code = _OF_PARAM.get(str(error.get("param")))
    if error.get("code") in ("audio_too_short", "audio_too_long", "invalid_audio"):
        code = "invalid_audio"
    return UpstreamFailure(code, f"the server answered HTTP {status}") if code else None


def _form(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
