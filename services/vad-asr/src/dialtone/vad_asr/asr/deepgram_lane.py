"""One connection to Deepgram: the audio of an utterance out, its words in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated

from pydantic import BaseModel, Field
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from dialtone.telemetry import get_logger
from dialtone.vad_asr.asr.pool import Urgency
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, space_of
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.http import too_slow
from dialtone.vendors.objects import Seconds, Text, Word, object_of, read_as

log = get_logger(__name__)

_CHUNK_BYTES = SAMPLE_RATE * 2 // 10  # 100 ms, as the vendor advises: 20 to 250 ms
_KEEP_ALIVE_S = 4.0  # the server closes what says nothing for 10 s (NET-0001); 3 to 5 s are advised
_IDLE_S = 60.0  # a connection that was not asked anything for so long is closed
_SLACK_S = 0.1  # by which the times of results may be off
_QUIET_S = 0.3  # after Finalize: results that overtook each other are all there then
_SILENT_S, _NOTHING_S = 0.8, 0.5  # Finalize may go unanswered; so long, where so little was left
_BEHIND_S = 0.5  # by which what is only shown may lag behind what was sent
# How long something new is waited for where not all has to be final.
_PATIENCE_S = {Urgency.PARTIAL: 1.0, Urgency.FOLLOWED: 0.1}
_GAP_S = 1.0  # without a word, at least, is what an UtteranceEnd tells of
_MOST_FINALS = 1_000  # of an utterance of 20 s: nobody says as much


class Lane:
    """Use it between `acquire` and `release`. Times are seconds of the connection's own audio."""

    def __init__(self, socket: ClientConnection, kind: tuple[str, str], *, ends_turns: bool) -> None:
        """`kind` is the model and the language; `ends_turns`: the server is to say where speech ends."""
        self.kind = kind
        self._ends_turns = ends_turns
        self.language = ""  # as the server detected it
        self._socket = socket
        self._mine = asyncio.Lock()
        self._sent = bytearray()  # of the utterance at hand
        self._base_s = 0.0  # where that began
        self._finals: dict[float, tuple[float, str]] = {}  # start -> end, text
        self._interim: tuple[float, float, str] = (0.0, 0.0, "")
        self._voiced_s = 0.0  # where in it a voice was heard last
        self._over: tuple[float, float] | None = None  # where its words end, and the silence after them
        self._flushed = 0  # answers to Finalize that are still to come
        self._news = asyncio.Event()
        self._failure: UpstreamFailure | None = None
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._keep_alive())]
        self._last_sent = self._last_used = self._heard = asyncio.get_running_loop().time()

    @property
    def ended(self) -> bool:
        return self._failure is not None

    @property
    def busy(self) -> bool:
        return self._mine.locked()

    @property
    def settled(self) -> bool:
        """All that was sent is final."""
        return self._covered_s() >= self._end_s() - _SLACK_S

    @property
    def over(self) -> bool:
        """The server has said that the speaker is done, what was said is final, and no voice was heard after
        that."""
        if self._over is None:
            return False
        words_s, silent_s = self._over
        voiced_s = self._base_s + self._voiced_s
        return self._covered_s() >= words_s - _SLACK_S and silent_s >= voiced_s - _SLACK_S

    def goes_on(self, pcm: bytes) -> bool:
        """Whether this is the utterance at hand, or more of it."""
        return bool(self._sent) and pcm.startswith(self._sent)

    async def acquire(self) -> None:
        await self._mine.acquire()

    def release(self) -> None:
        self._last_used = asyncio.get_running_loop().time()
        self._mine.release()

    def begin_anew(self) -> None:
        """What is sent from now on is another utterance."""
        self._base_s = self._end_s()
        self._sent.clear()
        self._finals.clear()
        self._interim = (0.0, 0.0, "")
        self._voiced_s, self._over = 0.0, None
        self._flushed = 0

    @property
    def text(self) -> str:
        """The words of the utterance so far: final ones in their order, then what may change."""
        finals = sorted(self._finals.items())
        texts = [text for _, (_, text) in finals]
        start, end, text = self._interim
        covered = self._covered_s()
        if start >= covered - _SLACK_S and end > covered + _SLACK_S:
            texts.append(text)
        return space_of(self.language or self.kind[1]).join(text for text in texts if text)

    async def ask(
        self, pcm: bytes, voiced_s: float, urgency: Urgency, deadline: float
    ) -> AsyncGenerator[str, None]:
        """Send what is new of `pcm`, in which a voice was last heard at `voiced_s`, and yield the text as it
        grows until all of it is final, or, where the urgency does not ask for that, until something new is
        known. Raises UpstreamFailure, also when it is not there by `deadline` on the loop's clock."""
        loop = asyncio.get_running_loop()
        patience_s = _PATIENCE_S.get(urgency)
        self._voiced_s = voiced_s
        if patience_s is None and self.over:
            return  # what is left to send is silence
        try:
            async with asyncio.timeout_at(deadline):
                await self._feed(pcm[len(self._sent) :])
                if patience_s is None and not self.settled:
                    await self._say({"type": "Finalize"})
                    self._flushed += 1
        except TimeoutError:
            raise too_slow("takes no audio") from None
        asked = self._heard = loop.time()
        shown = self.text
        while not self._enough(urgency, waited_s=loop.time() - asked, quiet_s=loop.time() - self._heard):
            if loop.time() >= deadline:
                raise too_slow("no final words")
            self._news.clear()
            wait_s = min(_QUIET_S, patience_s or _QUIET_S, max(0.0, deadline - loop.time()))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), wait_s)
            if self._failure is not None:
                raise self._failure
            if self.text != shown:
                shown = self.text
                yield shown

    async def close(self) -> None:
        """Tell the server that nothing follows, and hang up."""
        for task in self._tasks:
            task.cancel()
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._socket.send(json.dumps({"type": "CloseStream"}))
        await self._socket.close()
        await asyncio.wait(self._tasks)

    # --- what is said

    async def _feed(self, pcm: bytes) -> None:
        try:
            for at in range(0, len(pcm), _CHUNK_BYTES):
                chunk = pcm[at : at + _CHUNK_BYTES]
                await self._send(chunk)
                self._sent += chunk
        except asyncio.CancelledError:
            # Nobody knows whether the last chunk went out.
            self._failure = UpstreamFailure("upstream_cut", "given up while it was sent to")
            raise

    async def _say(self, message: dict[str, str]) -> None:
        await self._send(json.dumps(message))

    async def _send(self, message: str | bytes) -> None:
        try:
            await self._socket.send(message)
        except ConnectionClosed:
            await asyncio.wait({self._tasks[0]})  # it knows why
            raise self._failure or UpstreamFailure("upstream_cut", "the connection was closed") from None
        self._last_sent = asyncio.get_running_loop().time()

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._last_sent + _KEEP_ALIVE_S - loop.time()))
            if not self.busy and loop.time() - self._last_used > _IDLE_S:
                self._failure = UpstreamFailure("upstream_cut", "closed, having been idle")
                await self._socket.close()
                return
            if loop.time() - self._last_sent >= _KEEP_ALIVE_S:
                try:
                    await self._say({"type": "KeepAlive"})
                except UpstreamFailure:
                    return  # the reader knows of it

    # --- what is heard

    async def _read(self) -> None:
        failure = UpstreamFailure("upstream_cut", "the connection was closed", again=True)
        try:
            async for message in self._socket:
                self._take(message)
                self._heard = asyncio.get_running_loop().time()
                self._news.set()
        except ConnectionClosed as closed:
            failure = _failure_of_close(closed)
        except UpstreamFailure as wrong:
            failure = wrong
        finally:
            self._failure = self._failure or failure
            self._news.set()

    def _take(self, message: str | bytes) -> None:
        said = object_of(message)
        match read_as(_Message, said).type:
            case "Results":
                self._result(read_as(_Results, said))
            case "UtteranceEnd":
                self._utterance_end(read_as(_UtteranceEnd, said))
            case "Error":
                log.debug("what the recogniser's server said", detail=ascii(said.get("description"))[:200])
                raise UpstreamFailure("upstream_error", "the server reports an error", again=True)

    def _result(self, said: _Results) -> None:
        start, end = said.start, said.start + said.duration
        best = said.channel.alternatives[0]
        text = best.transcript.strip()
        if end <= self._base_s + _SLACK_S and not (said.from_finalize and self._flushed):
            return  # of the utterance before
        if best.languages:
            self.language = best.languages[0].partition("-")[0].lower()
        if self._over is not None and text and end > self._over[1] + _SLACK_S:
            self._over = None  # the speaker went on
        if said.is_final:
            if len(self._finals) >= _MOST_FINALS:
                raise UpstreamFailure("bad_upstream", "answered with results without end: is_final")
            self._finals[start] = (end, text)
            if said.from_finalize:
                self._flushed = max(0, self._flushed - 1)
            if said.speech_final and self._ends_turns:
                self._over = (end, end)
        elif end >= self._interim[1]:
            self._interim = (start, end, text)

    def _utterance_end(self, said: _UtteranceEnd) -> None:
        words_s = said.last_word_end
        started_s, _, text = self._interim
        if not self._ends_turns or words_s <= self._base_s or (text and started_s >= words_s):
            return  # not asked for, of the utterance before, or the speaker went on
        self._over = (words_s, min(words_s + _GAP_S, self._end_s()))

    def _enough(self, urgency: Urgency, *, waited_s: float, quiet_s: float) -> bool:
        if urgency is Urgency.FOLLOWED:
            return self.over or waited_s >= _PATIENCE_S[urgency]
        if self.settled:
            return True
        if urgency is Urgency.PARTIAL:
            shown_s = max(self._interim[1], self._covered_s())
            new = self._base_s < shown_s >= self._end_s() - _BEHIND_S
            return new or waited_s >= _PATIENCE_S[urgency]
        if self._flushed == 0:
            # The server's times need not add up to what was sent; it has said that this is all.
            return quiet_s >= _QUIET_S
        # Finalize is not answered where next to nothing was left to recognise.
        return quiet_s >= _SILENT_S and self._end_s() - self._covered_s() <= _NOTHING_S

    def _end_s(self) -> float:
        return self._base_s + len(self._sent) / 2 / SAMPLE_RATE

    def _covered_s(self) -> float:
        """Up to where the words are final, without a gap."""
        covered = self._base_s
        for start, (end, _) in sorted(self._finals.items()):
            if start > covered + _SLACK_S:
                break
            covered = max(covered, end)
        return covered


class _Message(BaseModel):
    type: Word


class _Alternative(BaseModel):
    transcript: Text
    languages: list[Word] | None = None


class _Channel(BaseModel):
    alternatives: list[_Alternative] = Field(min_length=1)


class _Results(BaseModel):
    start: Seconds
    duration: Seconds
    channel: _Channel
    is_final: bool | None = None
    speech_final: bool | None = None
    from_finalize: bool | None = None


class _UtteranceEnd(BaseModel):
    last_word_end: Annotated[float, Field(ge=-1, le=1e7, allow_inf_nan=False)]  # -1: there was none


def _failure_of_close(closed: ConnectionClosed) -> UpstreamFailure:
    code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
    name = reason.partition(":")[0].split(" ")[0][:16] if reason[:4] in ("DATA", "NET-") else ""
    what = f"the connection was closed ({code}{' ' + name if name else ''})"
    if name.startswith("DATA"):
        return UpstreamFailure("invalid_audio", what)
    return UpstreamFailure("upstream_cut", what, again=True)
