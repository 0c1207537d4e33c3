"""What no voice can make anything of: said in clear words, and the next sentence is spoken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import numpy as np
import pytest

from dialtone.audio import pcm16_from_bytes, pcm16_to_float
from dialtone.bus import WorkError
from dialtone.tts.engines.base import SpeechFailed, Style
from dialtone.tts.engines.simulated import SimulatedEngine
from dialtone.tts.settings import TtsSettings
from dialtone.tts.sound import sound
from dialtone.tts.speaker import Speaker
from dialtone.tts.voices import Voice, VoiceRegistry
from dialtone.vendors.failures import UpstreamFailure
from tests.tts.backends.conftest import MakeRig
from tests.tts.backends.rig import Rig
from tests.tts.backends.speech_server import Speech, tone
from tests.tts.leases import SentenceLease

pytestmark = pytest.mark.timeout(60)

_ENDLESS = "Words. " * 2_858
"""20,006 characters."""


@asynccontextmanager
async def _stage(rig: Rig, **settings: int) -> AsyncIterator[Speaker]:
    """A stage with this engine, which in the end speaks a sentence as if nothing had been."""
    stage = rig.stage(**settings)
    yield stage
    well = SentenceLease("Hello there.")
    await stage.handle(well)
    assert well.ended.duration_us > 200_000
    assert (well.ended.backend, well.ended.notice) == (rig.engine.name, "")


async def _refusal(stage: Speaker, lease: SentenceLease) -> WorkError:
    with pytest.raises(WorkError) as refused:
        await stage.handle(lease)
    assert not refused.value.retryable
    assert lease.done is None
    return refused.value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "\N{GRINNING FACE}",
        "\U0001f469\u200d\U0001f467",
        "…?!",
        "\x00\x07\x1b",
        "\u200b\ufeff",
        "**",
    ],
    ids=["empty", "spaces", "one emoji", "a family", "marks", "controls", "unseen", "markup"],
)
async def test_a_text_that_holds_nothing_to_say_is_silence(rig: Rig, text: str) -> None:
    async with _stage(rig) as stage:
        lease = SentenceLease(text)
        await stage.handle(lease)
        assert (lease.chunks, lease.ended.duration_us) == ([], 0)
        assert lease.ended.notice == "nothing to speak"
        assert rig.server is None or rig.server.bodies == []


async def test_twenty_thousand_characters_are_refused(rig: Rig) -> None:
    async with _stage(rig) as stage:
        refused = await _refusal(stage, SentenceLease(_ENDLESS))
        assert refused.code == "text_too_long"
        assert refused.message == "tts: 20006 characters, at most 2000 are spoken (text)"
        assert rig.server is None or rig.server.bodies == []


async def test_where_they_are_allowed_they_are_begun_or_refused_by_the_backend(rig: Rig) -> None:
    if rig.paid:
        pytest.skip("twenty thousand characters are paid for")
    async with _stage(rig, tts_max_characters=30_000) as stage:
        lease = SentenceLease(_ENDLESS)
        if rig.server is not None:
            refused = await _refusal(stage, lease)
            assert refused.code == "text_too_long"
            assert refused.message.startswith(f"{rig.engine.name}: ")
            assert refused.message.endswith("are taken (text)")
            assert rig.server.bodies == []
            return
        task = asyncio.create_task(stage.handle(lease))
        await asyncio.wait_for(lease.first_chunk.wait(), 20)
        task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()
        await rig.until_idle()


async def test_characters_that_nobody_sees_are_left_out_of_what_is_spoken(rig: Rig) -> None:
    async with _stage(rig) as stage:
        lease = SentenceLease("Hel\x00lo \x01\x1bthe\u202ere\u200b\ue000.")
        await stage.handle(lease)
        assert lease.ended.duration_us > 200_000
        if rig.server is not None:
            assert "Hello there." in rig.server.bodies[0].values()


async def test_half_a_character_costs_its_sentence_at_most(rig: Rig) -> None:
    """Half of a surrogate pair, which no message can carry: whoever calls an engine otherwise is told."""
    async with _stage(rig):
        with suppress(SpeechFailed):
            async with aclosing(sound(rig.engine, "Hi \ud83d.", Style(), block_timeout_s=10)) as blocks:
                assert np.isfinite(np.concatenate([block async for block in blocks])).all()


async def test_a_voice_that_is_not_there_is_named_and_another_speaks(rig: Rig) -> None:
    async with _stage(rig) as stage:
        lease = SentenceLease("Hello there.", name="nobody")
        await stage.handle(lease)
        assert lease.ended.notice == "tts: no voice is called 'nobody', one speaks (voice)"
        assert (lease.ended.voice, lease.ended.backend) == ("one", rig.engine.name)


async def test_a_language_that_the_voice_lacks_is_named(rig: Rig) -> None:
    stage = Speaker(VoiceRegistry({"one": Voice("one", "en", rig.engine)}, {}), TtsSettings())
    refused = await _refusal(stage, SentenceLease("Привет, мир."))
    assert refused.code == "unspeakable_text"
    assert refused.message == "tts: no voice of this worker speaks ru (language)"
    lease = SentenceLease("Hello there, Привет.")
    await stage.handle(lease)
    assert lease.ended.duration_us > 200_000
    assert lease.ended.notice == "no voice speaks ru"


@pytest.mark.parametrize("field", ["speed", "length_scale", "noise_scale"])
@pytest.mark.parametrize("value", [-1.0, 1e9, float("nan"), float("inf")])
async def test_a_parameter_out_of_range_is_named(field: str, value: float) -> None:
    stage = Speaker(VoiceRegistry({"one": Voice("one", "en", SimulatedEngine())}, {}), TtsSettings())
    wanted: dict[str, Any] = {field: value}
    refused = await _refusal(stage, SentenceLease("Hello there.", **wanted))
    assert refused.code == "invalid_voice"
    assert refused.message.startswith(f"tts: {field} is ")


async def test_a_speaker_that_the_voice_lacks_is_named(rig: Rig) -> None:
    if rig.engine.name in ("simulated", "espeak-ng"):
        pytest.skip("who falls back on it named a speaker of another voice")
    async with _stage(rig) as stage:
        refused = await _refusal(stage, SentenceLease("Hello there.", speaker_id="7"))
        assert refused.code == "invalid_voice"
        assert refused.message.startswith(f"{rig.engine.name}: ")
        assert refused.message.endswith("not '7' (speaker_id)")


# --- a vendor that answers in another format

_MP3 = b"\xff\xfb\x90\x64" + bytes(413)
_JSON = b'{"error": {"message": "No such voice."}}'
_PAGE = b"<!DOCTYPE html><title>Sign in</title>"


@pytest.mark.parametrize(
    ("speech", "what"),
    [
        (Speech(parts=[_JSON[:1], _JSON[1:]]), "JSON"),
        (Speech(parts=[_PAGE]), "a page"),
        (Speech(parts=[_MP3] * 3), "MP3"),
        (Speech(parts=[b"\xff\xf1\x50\x80" + bytes(300)]), "AAC"),
        (Speech(parts=[b"RIFF\x24\x08\x00\x00WAVEfmt "]), "WAV"),
        (Speech(parts=[_PAGE], kind="text/html"), "text/html"),
        (Speech(parts=[_MP3], kind="audio/mpeg"), "audio/mpeg"),
        (Speech(kind="audio/pcm;rate=16000"), "audio of 16000 Hz"),
    ],
    ids=["JSON", "a page", "MP3", "AAC", "WAV", "a page, said", "MP3, said", "another rate"],
)
async def test_an_answer_in_another_format_is_told_with_the_backend_and_the_field(
    make_rig: MakeRig, vendor: str, speech: Speech, what: str
) -> None:
    if vendor == "minimax" and speech.kind == "audio/mpeg":
        pytest.skip("its audio has no content type")
    rig = await make_rig(vendor)
    async with _stage(rig) as stage:
        rig.server.speeches.append(speech)
        lease = SentenceLease("Hello there.")
        refused = await _refusal(stage, lease)
        # MiniMax says at the end what rate it was.
        assert lease.chunks == [] or (vendor, what) == ("minimax", "audio of 16000 Hz")
        assert refused.code == "bad_upstream"
        assert refused.message.startswith(f"{vendor}: answered {what}")
        assert refused.message.endswith("(base_url)")


async def test_half_a_sample_at_the_end_is_left_out(make_rig: MakeRig, vendor: str) -> None:
    rig = await make_rig(vendor)
    rig.server.speeches.append(Speech(parts=[tone(), b"\x01"]))
    assert np.array_equal(await rig.say(), pcm16_to_float(pcm16_from_bytes(tone())))


async def test_an_answer_without_audio_is_a_failure(make_rig: MakeRig, vendor: str) -> None:
    rig = await make_rig(vendor)
    async with _stage(rig) as stage:
        rig.server.speeches.append(Speech(parts=[]))
        with pytest.raises(WorkError) as failed:
            await stage.handle(SentenceLease("Hello there."))
        assert (failed.value.code, failed.value.message) == ("synthesis_failed", f"{vendor}: no audio")


async def test_one_byte_is_no_audio(make_rig: MakeRig, vendor: str) -> None:
    rig = await make_rig(vendor)
    rig.server.speeches.append(Speech(parts=[b"\x01"]))
    with pytest.raises(UpstreamFailure) as failed:
        await rig.say()
    assert failed.value.code == "upstream_cut"
