"""A call by the voice_call protocol."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import httpx
import numpy as np
import soxr

from dialtone.local.call.recording import FRAME_MS, has_voice
from tests.bench.line import OPENING_S, CallFailed
from tests.bench.manners import ANSWER_S
from tests.bench.question import RATE, Question
from tests.bench.wire import text_frame
from tests.load.answer import Answer
from tests.load.caller import Caller

INPUT_RATE = 16_000
QUIET_S = 1.0
"""The protocol does not say when an answer is over: it is when it was played and nothing came for so long."""


def frames_of(question: Question) -> Sequence[bytes]:
    """The question as a client sends it, each 20 ms ready for the wire; the first frame names the session."""
    samples = soxr.resample(np.frombuffer(b"".join(question.frames), "<i2"), RATE, INPUT_RATE)
    each = INPUT_RATE * FRAME_MS // 1000
    framed = samples[: len(question.frames) * each].astype("<i2").reshape(-1, each)
    return [text_frame(b'{"audio":"' + base64.b64encode(frame.tobytes()) + b'"}') for frame in framed]


trust = cache(ssl.create_default_context)
"""The machine's certificates. Reading them holds up all calls for a moment: to be called once before any."""


class VoiceCaller(Caller):
    """`/chat/voice_call`, with PCM of 16 kHz up and of 24 kHz down."""

    path = "/chat/voice_call"
    _session_id = ""
    _last_message = 0.0

    async def _prepare(self) -> None:
        session: dict[str, Any] = {"audio": {"output": {"rate": RATE}}}
        if self._script.silence_ms is not None:
            session["turn_detection"] = {"silence_duration_ms": self._script.silence_ms}
        async with httpx.AsyncClient(
            base_url=self._script.url,
            headers=self.headers,
            timeout=OPENING_S,
            trust_env=False,
            verify=trust(),
        ) as client:
            try:
                answer = await client.post("/v1/sessions", json=session)
            except httpx.HTTPError as error:
                raise CallFailed(f"/v1/sessions: {error!r}") from error
        if not answer.is_success:
            raise CallFailed(f"/v1/sessions answered {answer.status_code}")
        self._session_id = str(answer.json()["id"])

    async def _open(self) -> None:
        meta = {"session_id": self._session_id, "encoding": "raw"}
        await self._line.send(json.dumps({"audio": "", "meta_info": meta, "is_close": False}))

    async def _heard_out(self, answer: Answer) -> bool:
        deadline = time.monotonic() + ANSWER_S
        while not answer.over:
            quiet_at = max(answer.playout.ends_at or 0.0, self._last_message + QUIET_S)
            if (left := quiet_at - time.monotonic()) <= 0:
                answer.end()
            elif time.monotonic() > deadline:
                return False
            else:
                await self._line.until(lambda: answer.over, left)
        return True

    def _on_message(self, message: str | bytes, now: float) -> bool:
        self._last_message = now
        answer = self._answer
        if isinstance(message, bytes):
            if answer.asked:  # else it belongs to the answer that is being interrupted
                answer.audio(len(message) / 2 / RATE, now, loud=not answer.heard and has_voice(message))
        else:
            event = json.loads(message)
            if event.get("type") == "error":
                answer.fail(f"error {event.get('code')}: {event.get('msg')}")
        return True
