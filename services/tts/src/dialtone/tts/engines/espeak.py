"""The espeak-ng program: robotic, but it speaks more than a hundred languages."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Awaitable
from typing import ClassVar, TypeVar

from dialtone.audio import Float32, pcm16_from_bytes, pcm16_to_float
from dialtone.telemetry import get_logger
from dialtone.tts.engines.abilities import Abilities
from dialtone.tts.engines.base import SpeechFailed, Style

log = get_logger(__name__)
T = TypeVar("T")

# Where espeak-ng's name is not the ISO 639-1 code. It turns Chinese characters into pinyin first, and its
# plain `cmn` (1.51) then reads that as English, tone numbers included: "ni three hao three".
_NAMES = {"zh": ("cmn-latn-pinyin", "cmn"), "no": ("nb",)}
READS_LATIN_AS_PINYIN = "cmn-latn-pinyin"
_WORDS_PER_MINUTE = 165
# Whisper base hears 0.29 of its Chinese otherwise at this pace, 0.45 at the other (letters of pinyin).
_WORDS_OF_PINYIN = 140
_SLOWEST, _FASTEST = 80, 450  # what espeak-ng accepts
# Slower than that, words are set apart: what a step of the gap between them adds then, and how many.
_GAP_STEP_S = 0.035
_LONGEST_GAP = 200
_HEADER = 44  # bytes of the WAV header that --stdout writes
_SAMPLE_RATE = 22_050
_BLOCK = 8_192  # bytes
_LIMIT_S = 5.0  # for any one step; it speaks some hundred times faster than real time


async def installed_languages(program: str) -> frozenset[str]:
    """Codes that the program speaks, as it names them; empty where it is not installed."""
    path = shutil.which(program) if program else None
    if path is None:
        return frozenset()
    process = await asyncio.create_subprocess_exec(
        path, "--voices", stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    output, _ = await process.communicate()
    rows = [line.split() for line in output.decode("utf-8", "replace").splitlines()[1:]]
    return frozenset(row[1] for row in rows if len(row) > 1)


def espeak_name(language: str, installed: frozenset[str]) -> str | None:
    """espeak-ng's name for an ISO 639-1 language, None if it does not speak it."""
    names = _NAMES.get(language, (language,))
    for name in names:
        if name in installed:
            return name
    return min((code for code in installed if code.split("-")[0] in names), default=None)


class EspeakEngine:
    """One language of espeak-ng: a process a sentence, killed when the sentence is cancelled."""

    name: ClassVar = "espeak-ng"
    sample_rate = _SAMPLE_RATE
    abilities: ClassVar = Abilities(
        where="this machine, a program",
        streams="yes",
        languages="more than a hundred; those without a voice of their own",
        speeds="to 2.7; below 0.5 by gaps between the words",
        longest="`TTS_MAX_CHARACTERS`",
    )

    def __init__(self, program: str, name: str) -> None:
        self._program = program
        self._name = name
        self._words_per_minute = _WORDS_OF_PINYIN if name == READS_LATIN_AS_PINYIN else _WORDS_PER_MINUTE

    async def speak(self, text: str, style: Style) -> AsyncGenerator[Float32, None]:
        """Yield the program's output as it comes; of the style, length scale and speed apply."""
        speed, gap = _pace(style, self._words_per_minute)
        process = await asyncio.create_subprocess_exec(
            self._program, "-v", self._name, "-s", str(speed), "-g", str(gap),
            "-b", "1", "--stdin", "--stdout",
            stdin=PIPE, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        try:
            async for block in _samples(process, text):
                yield block
            if await _in_time(process.wait()) != 0:
                await _log_complaint(process)
                raise SpeechFailed(f"espeak-ng ended with {process.returncode}")
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
                    process.kill()
            # Waiting alone would never end: asyncio knows a process to be over when its pipes are read out.
            await process.communicate()

    async def warm_up(self) -> None:
        """Have the program and its data in the file cache."""
        async for _ in self.speak("1", Style()):
            pass


async def _samples(process: Process, text: str) -> AsyncGenerator[Float32, None]:
    if process.stdin is None or process.stdout is None:
        raise SpeechFailed("espeak-ng was started without pipes")
    process.stdin.write(text.encode())
    process.stdin.close()  # a sentence fits the pipe; espeak-ng speaks once it has read it all
    try:
        header = await _in_time(process.stdout.readexactly(_HEADER))
    except asyncio.IncompleteReadError as error:
        await _log_complaint(process)
        raise SpeechFailed("espeak-ng gave no audio") from error
    if (rate := int.from_bytes(header[24:28], "little")) != _SAMPLE_RATE:
        raise SpeechFailed(f"espeak-ng speaks at {rate} Hz, not {_SAMPLE_RATE}")
    odd = b""
    while data := await _in_time(process.stdout.read(_BLOCK)):
        data = odd + data
        odd = data[len(data) - len(data) % 2 :]
        yield pcm16_to_float(pcm16_from_bytes(data[: len(data) - len(odd)]))


async def _in_time(step: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_LIMIT_S):
            return await step
    except TimeoutError as error:
        raise SpeechFailed(f"espeak-ng was silent for {_LIMIT_S:.0f} s") from error


async def _log_complaint(process: Process) -> None:
    """What the program says of its trouble names files of this machine: it is not for clients."""
    if process.stderr is not None:
        complaint = (await process.stderr.read(500)).decode("utf-8", "replace").strip()
        log.error("espeak-ng complains", complaint=complaint)


def _pace(style: Style, usual: int) -> tuple[int, int]:
    """Words a minute, of which so many are usual, and steps of the gap between words."""
    length = (1.0 if style.length_scale is None else style.length_scale) / style.speed
    wanted = usual / length
    apart_s = max(60 / wanted - 60 / _SLOWEST, 0.0)
    return max(_SLOWEST, min(_FASTEST, round(wanted))), min(round(apart_s / _GAP_STEP_S), _LONGEST_GAP)
