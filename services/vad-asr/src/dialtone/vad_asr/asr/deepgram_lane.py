"""One connection to Deepgram: the audio of an utterance out, its words in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from dialtone.telemetry import get_logger
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, space_of
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.http import too_slow

log = get_logger(__name__)

_CHUNK_BYTES = SAMPLE_RATE * 2 // 10  # 100 ms, as the vendor advises: 20 to 250 ms
_KEEP_ALIVE_S = 4.0  # the server closes what says nothing for 10 s (NET-0001); 3 to 5 s are advised
_IDLE_S = 60.0  # a connection that was not asked anything for so long is closed
_SLACK_S = 0.1  # by which the times of results may be off
_QUIET_S = 0.3  # after Finalize: results that overtook each other are all there then
_SILENT_S, _NOTHING_S = 0.8, 0.5  # Finalize may go unanswered; so long, where so little was left
_BEHIND_S = 0.5  # by which what is only shown may lag behind what was sent
_SHOWN_S = 1.0  # how long what is only shown is waited for


class Lane:
    """Use it between `acquire` and `release`. Times are seconds of the connection's own audio."""

    def __init__(self, socket: ClientConnection, kind: tuple[str, str]) -> None:
        self.kind = kind
        self.language = ""  # as the server detected it
        self._socket = socket
        self._mine = asyncio.Lock()
        self._sent = bytearray()  # of the utterance at hand
        self._base_s = 0.0  # where that began
        self._finals: dict[float, tuple[float, str]] = {}  # start -> end, text
        self._interim: tuple[float, float, str] = (0.0, 0.0, "")
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

    async def ask(self, pcm: bytes, *, final: bool, deadline: float) -> AsyncGenerator[str, None]:
        """Send what is new of `pcm`, and yield the text as it grows until all of it is final, or, where it is
        not to be, until something new is known of it. Raises UpstreamFailure, also when it is not there by
        `deadline` on the loop's clock."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                await self._feed(pcm[len(self._sent) :])
                if final and not self.settled:
                    await self._say({"type": "Finalize"})
                    self._flushed += 1
        except TimeoutError:
            raise too_slow("takes no audio") from None
        asked = self._heard = loop.time()
        shown = self.text
        while not self._enough(final=final, waited_s=loop.time() - asked, quiet_s=loop.time() - self._heard):
            if loop.time() >= deadline:
                raise too_slow("no final words")
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), min(_QUIET_S, max(0.0, deadline - loop.time())))
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
        try:
            said = json.loads(message)
            kind = said["type"]
            if kind == "Results":
                self._result(said)
            elif kind == "Error":
                log.debug("what the recogniser's server said", detail=str(said.get("description"))[:200])
                raise UpstreamFailure("upstream_error", "the server reports an error", again=True)
        except (ValueError, KeyError, TypeError, IndexError):
            raise UpstreamFailure("bad_upstream", "answered what is no result of a live stream") from None

    def _result(self, said: dict[str, Any]) -> None:
        start, end = float(said["start"]), float(said["start"]) + float(said["duration"])
        said_best = said["channel"]["alternatives"][0]
        text = str(said_best["transcript"]).strip()
        if end <= self._base_s + _SLACK_S and not (said.get("from_finalize") and self._flushed):
            return  # of the utterance before
        if languages := said_best.get("languages"):
            self.language = str(languages[0]).partition("-")[0].lower()
        if said.get("is_final"):
            self._finals[start] = (end, text)
            if said.get("from_finalize"):
                self._flushed = max(0, self._flushed - 1)
        elif end >= self._interim[1]:
            self._interim = (start, end, text)

    def _enough(self, *, final: bool, waited_s: float, quiet_s: float) -> bool:
        if self.settled:
            return True
        if not final:
            shown_s = max(self._interim[1], self._covered_s())
            return self._base_s < shown_s >= self._end_s() - _BEHIND_S or waited_s >= _SHOWN_S
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


def _failure_of_close(closed: ConnectionClosed) -> UpstreamFailure:
    code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
    name = reason.partition(":")[0].split(" ")[0][:16] if reason[:4] in ("DATA", "NET-") else ""
    what = f"the connection was closed ({code}{' ' + name if name else ''})"
    if name.startswith("DATA"):
        return UpstreamFailure("invalid_audio", what)
    return UpstreamFailure("upstream_cut", what, again=True)
