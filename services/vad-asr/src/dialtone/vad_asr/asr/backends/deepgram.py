"""Deepgram's live WebSocket.

https://developers.deepgram.com/reference/speech-to-text/listen-streaming. By plain `websockets`, which the
vendor's SDK is a wrapper of: the SDK adds types to four kinds of message, no reconnecting, and a dependency
on parts of `websockets` that are deprecated. The tests hold their server to its types.

A call holds a connection (`Lane`). What is asked about a turn is, mostly, the audio that was asked about
before and some more: then only that is sent. So the audio goes out while the user speaks, and at a pause all
that is left to do is Finalize. `endpointing` is off where the ends of turns are ours to say; where the entry
leaves them to the vendor, they are its `speech_final` (silence) and its `UtteranceEnd` (no word for a second,
whatever else is heard): https://developers.deepgram.com/docs/understanding-end-of-speech-detection.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import ClassVar
from urllib.parse import urlencode

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.http11 import Response

from dialtone.audio import pcm16_to_bytes
from dialtone.vad_asr.asr.abilities import Abilities
from dialtone.vad_asr.asr.backend import Question, refuse_unheard_of
from dialtone.vad_asr.asr.deepgram_lane import Lane
from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, Recognition
from dialtone.vendors.failures import UpstreamFailure, failure_of_status
from dialtone.vendors.http import without_secret
from dialtone.vendors.objects import object_of

# At DEBUG the library writes down all it says, the key of the handshake and the audio among it.
_wire_log = logging.getLogger(__name__ + ".wire")
_wire_log.setLevel(logging.INFO)

_URL = "wss://api.deepgram.com/v1"
_LANES = 3  # of a call: turns that overlap; a fourth waits
_MESSAGE_BYTES = 1 << 20
_DETECTING = ("nova-2", "nova-3")  # models that know `language=multi`
# The silence in ms that the vendor advises for conversations, and the shortest gap between words it takes.
_ENDING = {"endpointing": "300", "utterance_end_ms": "1000"}


class DeepgramBackend:
    """Connections to one server, by the entry's settings."""

    name: ClassVar = "deepgram"
    abilities: ClassVar = Abilities(
        where="Deepgram; WebSocket",
        live=True,
        ends_turns=True,
        words_as_they_come=True,
        languages="as the model's",
        detects_language="among those of `language=multi` (not Chinese)",
        prompt="ignored; give `keyterm` in `extra`",
        key="`DEEPGRAM_API_KEY`",
        models="`deepgram`, `deepgram/*`, `nova-*`",
    )
    idle = True  # what is sent ahead is not sent again

    def __init__(self, entry: AsrEntry) -> None:
        self._key = entry.key()
        self.url = re.sub("^http", "ws", (entry.base_url or _URL).rstrip("/")) + "/listen"
        self.limits = entry.limits
        self._extra = entry.extra
        self.ends_turns = entry.endpointing == "vendor"

    def listen(self) -> _Ear:
        return _Ear(self)

    async def connect(self, model: str, language: str) -> ClientConnection:
        """Open a connection for speech of that language. Raises UpstreamFailure."""
        query: dict[str, str] = {
            "model": model,
            "encoding": "linear16",
            "sample_rate": str(SAMPLE_RATE),
            "channels": "1",
            "interim_results": "true",
            "punctuate": "true",
            **(_ENDING if self.ends_turns else {"endpointing": "false"}),
        }
        if language:
            query["language"] = language
        elif model.startswith(_DETECTING):
            query["language"] = "multi"
        query |= {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self._extra.items()
        }
        try:
            return await connect(
                f"{self.url}?{urlencode(query)}",
                additional_headers={"Authorization": f"Token {self._key}"} if self._key else None,
                open_timeout=self.limits.connect_s,
                close_timeout=1.0,
                max_size=_MESSAGE_BYTES,
                compression=None,
                logger=_wire_log,
            )
        except InvalidStatus as refused:
            raise self._refused(refused.response, language) from None
        except TimeoutError:
            raise _unreachable("timeout") from None
        except (OSError, InvalidHandshake, websockets.WebSocketException) as error:
            raise _unreachable(type(error).__name__) from error

    def _refused(self, response: Response, language: str) -> UpstreamFailure:
        try:
            said = object_of(response.body or b"")
        except UpstreamFailure:  # a gateway's page, say: its status tells
            said = {}
        message = without_secret(str(said.get("err_msg", "")), self._key)
        status = response.status_code
        if status == 400 and "model/language" in message:
            code = "unsupported_language" if language else "model_not_found"
            return UpstreamFailure(code, f"the server answered HTTP {status}", detail=message)
        headers = {name.lower(): value for name, value in response.headers.raw_items()}
        return failure_of_status(status, headers, message, "")

    async def close(self) -> None:
        """Nothing to do: connections belong to calls."""


def _unreachable(what: str) -> UpstreamFailure:
    return UpstreamFailure("upstream_unreachable", f"cannot reach the server ({what})", again=True)


class _Ear:
    """One call's connections."""

    def __init__(self, backend: DeepgramBackend) -> None:
        self._backend = backend
        self._lanes: list[Lane] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_LANES)

    async def hear(self, question: Question) -> AsyncGenerator[Recognition, None]:
        """Send what is new of the passage, and read. See `Listener.hear`."""
        passage = question.passage
        refuse_unheard_of(passage)
        begun = time.monotonic()
        deadline = asyncio.get_running_loop().time() + self._backend.limits.answer_within_s(passage)
        pcm = pcm16_to_bytes(passage.samples)

        def recognised(lane: Lane, text: str, *, partial: bool, over: bool = False) -> Recognition:
            took_us = round((time.monotonic() - begun) * 1e6)
            language = lane.language or passage.language
            return Recognition(text, language, took_us, partial=partial, turn_over=over)

        urgency = question.urgency
        voiced_s = (passage.voice[-1][1] if passage.voice else len(passage.samples)) / SAMPLE_RATE
        kind = (question.model, passage.language)
        async with self._room:
            while True:
                lane, used = await self._lane(kind, pcm)
                try:
                    async with aclosing(lane.ask(pcm, voiced_s, urgency, deadline)) as texts:
                        async for text in texts:
                            yield recognised(lane, text, partial=True)
                    yield recognised(lane, lane.text, partial=False, over=lane.over)
                    return
                except UpstreamFailure as failure:
                    # One that was idle may have been closed just then, which says nothing of the server.
                    if not (used and failure.code == "upstream_cut"):
                        raise
                finally:
                    lane.release()

    async def _lane(self, kind: tuple[str, str], pcm: bytes) -> tuple[Lane, bool]:
        """A connection of that kind that nobody else uses now, and whether it was used before."""
        for lane in [lane for lane in self._lanes if lane.ended and not lane.busy]:
            self._leave(lane)
        alike = [lane for lane in self._lanes if lane.kind == kind]
        chosen = next((lane for lane in alike if lane.goes_on(pcm)), None)
        if chosen is not None:
            await chosen.acquire()  # who has it was asked about the same turn
            if not chosen.ended and chosen.goes_on(pcm):
                return chosen, True
            chosen.release()
        for lane in alike:
            if not lane.busy and not lane.ended and (lane.settled or lane.over):
                await lane.acquire()
                lane.begin_anew()
                return lane, True
        unused = [lane for lane in self._lanes if not lane.busy]
        if len(self._lanes) >= _LANES and unused:
            self._leave(unused[0])
        lane = Lane(await self._backend.connect(*kind), kind, ends_turns=self._backend.ends_turns)
        await lane.acquire()
        self._lanes.append(lane)
        return lane, False

    def _leave(self, lane: Lane) -> None:
        """Close a connection while others are asked."""
        self._lanes.remove(lane)
        leaving = asyncio.create_task(lane.close())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        for lane in list(self._lanes):
            self._leave(lane)
        if self._leaving:
            await asyncio.wait(self._leaving)
