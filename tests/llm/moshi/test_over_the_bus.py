"""A Moshi leg on a real broker: leased, spoken to, handed over, in all formats, with inputs lost."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from dialtone.bus import Bus
from dialtone.llm.moshi.engine import FRAME
from dialtone.llm.moshi.simulated import SimulatedEngine, SimulatedSlot
from dialtone.settings import BusSettings
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AUDIO_ENCODING_PCMU, AudioFormat
from dialtone.v1.moshi_pb2 import MoshiResume
from tests.contract.bus.call_side import until
from tests.llm.moshi.moshi_call import (
    ANSWER_BYTES,
    PAUSE_BYTES,
    PCM16_16K,
    PCM16_24K,
    MoshiCall,
    moshi_worker,
    silence,
    tone,
)

SAID = ["saying_started", "saying_text", "saying_audio"]
G711 = AudioFormat(encoding=AUDIO_ENCODING_PCMU, sample_rate=8_000)


async def test_a_leg_hears_and_speaks_to_its_end(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    async with moshi_worker(bus_settings, engine):
        await call.start()
        await call.ask()
        await call.say(silence(3.0))
        await call.ask()
        await call.say(silence(1.0))
        await call.put(end={})
        await call.has("leg_done")
    assert call.text(1) == "This is simulated answer 1."
    assert call.text(2) == "This is simulated answer"
    assert len(call.audio(1)) == ANSWER_BYTES + PAUSE_BYTES
    assert len(call.audio(2)) < ANSWER_BYTES  # the call ended in the middle of it
    first, second = (event.saying_started for event in call.side.of("saying_started"))
    assert (first.utterance, second.utterance) == (1, 2)
    assert first.format == PCM16_24K
    # 0.4 s of sound, and silence until it was sure of it: the step in which it began.
    assert first.audio_us == 800_000
    one, two = (event.saying_stopped for event in call.side.of("saying_stopped"))
    assert (one.duration_us, one.text_tokens) == (2_160_000, 5)
    assert one.audio_us == first.audio_us + 2_160_000 - 80_000
    assert two.duration_us == len(call.audio(2)) * 1_000_000 // 48_000
    chunks = [event.saying_audio for event in call.side.of("saying_audio")]
    ends = [chunk.start_us + chunk.duration_us for chunk in chunks if chunk.utterance == 1]
    assert ends[-1] == one.duration_us
    assert [chunk.start_us for chunk in chunks if chunk.utterance == 1] == [0, *ends[:-1]]
    assert call.bodies()[:3] == SAID
    assert call.bodies()[-2:] == ["saying_stopped", "leg_done"]
    assert [event.seq for event in call.side.events] == list(range(len(call.side.events)))
    assert engine.free == engine.slots


async def test_progress_says_what_was_heard(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    """20 ms pieces: of five, one belongs to a frame that is not whole yet. It counts as heard."""
    async with moshi_worker(bus_settings, engine):
        await call.start()
        await call.say(silence(0.1))
        await call.has("progress")
        progress = call.side.of("progress")[-1].progress
        assert (progress.audio_us, progress.next_seq) == (80_000, 6)
        await call.say(silence(12.0))
        await until(lambda: call.side.of("progress")[-1].progress.next_seq == 606, "the rest")


@pytest.mark.parametrize(
    "given", [PCM16_16K, G711, AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=44_100)], ids=str
)
async def test_formats_are_converted_both_ways(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings, given: AudioFormat
) -> None:
    async with moshi_worker(bus_settings, engine):
        await call.start(audio_format=given, output=given)
        rate = given.sample_rate
        sound = np.concatenate([tone(0.4, rate), silence(3.5, rate)])
        data = sound.tobytes()
        if given == G711:
            data = bytes(0x20 if abs(int(sample)) > 100 else 0xFF for sample in sound)
        for at in range(0, len(data), 882):
            await call.put(audio=data[at : at + 882])
        await call.put(end={})
        await call.has("leg_done")
    assert call.text(1) == "This is simulated answer 1."
    (started,) = (event.saying_started for event in call.side.of("saying_started"))
    assert started.format == given
    (stopped,) = (event.saying_stopped for event in call.side.of("saying_stopped"))
    width = 1 if given == G711 else 2
    assert stopped.duration_us == pytest.approx(2_160_000, abs=1_000)
    assert len(call.audio(1)) == pytest.approx(2.16 * rate * width, abs=4)


async def test_a_change_of_format_counts_from_the_next_utterance_on(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    async with moshi_worker(bus_settings, engine):
        await call.start()
        await call.ask()
        await call.has("saying_started")
        await call.put(output_format=PCM16_16K)
        await call.say(silence(2.4))
        await call.put(format=PCM16_16K)
        await call.say(tone(0.4, 16_000), silence(3.0, 16_000), frame=320)
        await call.put(end={})
        await call.has("leg_done")
    formats = [event.saying_started.format for event in call.side.of("saying_started")]
    assert formats == [PCM16_24K, PCM16_16K]
    assert len(call.audio(1)) == ANSWER_BYTES + PAUSE_BYTES
    assert len(call.audio(2)) == (ANSWER_BYTES + PAUSE_BYTES) * 2 // 3


async def test_a_new_attempt_speaks_in_the_format_that_was_set_last(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    call.resume = MoshiResume(next_seq=1, next_utterance=1, output_format=PCM16_16K)
    async with moshi_worker(bus_settings, engine):
        await call.start()
        await call.ask()
        await call.has("saying_started")
    assert call.side.of("saying_started")[0].saying_started.format == PCM16_16K


@pytest.mark.parametrize("rate", [4_000, 400_000])
async def test_a_rate_that_nobody_speaks_at_is_a_clear_error(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings, rate: int
) -> None:
    wrong = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=rate)
    async with moshi_worker(bus_settings, engine):
        await call.start(audio_format=wrong)
        await call.has("failed")
    (failed,) = (event.failed for event in call.side.of("failed"))
    assert failed.final
    assert (failed.error.code, failed.error.retryable) == ("unsupported_format", False)
    assert str(rate) in failed.error.message
    assert engine.free == engine.slots


@pytest.mark.parametrize("kind", ["format", "output_format"])
async def test_a_wrong_format_in_mid_call_ends_the_leg_and_no_other(
    call: MoshiCall, bus: Bus, engine: SimulatedEngine, bus_settings: BusSettings, kind: str
) -> None:
    other = MoshiCall(bus, "call-other")
    await other.side.open()
    async with moshi_worker(bus_settings, engine):
        await call.start()
        await other.start()
        wrong: dict[str, Any] = {kind: AudioFormat(sample_rate=24_000)}
        await call.put(**wrong)
        await call.has("failed")
        await other.ask()
        await other.say(silence(3.0))
        await other.has("saying_stopped")
    await other.side.close()
    assert call.side.of("failed")[0].failed.error.code == "unsupported_format"
    assert other.text(1) == "This is simulated answer 1."


async def test_another_variant_is_refused_by_name(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    async with moshi_worker(bus_settings, engine):
        await call.start(model="base")
        await call.has("failed")
    failed = call.side.of("failed")[0].failed
    assert (failed.error.code, failed.final) == ("model_not_found", True)
    assert "base" in failed.error.message


async def test_an_input_that_is_lost_is_asked_for_again(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    async with moshi_worker(bus_settings, engine):
        await call.start()
        await call.say(tone(0.2))
        await call.put(lost=True, audio=tone(0.2).tobytes())
        await call.say(silence(3.0))
        await call.put(end={})
        await call.has("replay")
        assert call.side.of("replay")[0].replay.from_seq == 11
        assert not call.side.of("saying_started")
        await call.repeat(0, 11)
        await call.has("leg_done")
    assert call.text(1) == "This is simulated answer 1."
    assert call.side.of("saying_started")[0].saying_started.audio_us == 800_000


async def test_what_warms_a_new_worker_up_is_heard_but_not_answered_aloud(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    """The answer begins at 0.8 s, and the call is live from 1.6 s on: its second half is said."""
    call.resume = MoshiResume(start_us=0, next_seq=1, live_us=1_600_000, next_utterance=5)
    async with moshi_worker(bus_settings, engine):
        await call.start()
        await call.ask()
        await call.say(silence(3.0))
        await call.put(end={})
        await call.has("leg_done")
    started = call.side.of("saying_started")[0].saying_started
    assert (started.utterance, started.audio_us) == (5, 1_680_000)
    # Frames 10 to 29 of the call are the answer's; the 21st is the first that is live.
    assert len(call.audio(5)) == ANSWER_BYTES // 20 * 9 + PAUSE_BYTES
    assert call.text(5) == "answer 1."


async def test_a_leg_goes_on_where_it_was_when_its_worker_leaves(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    other = SimulatedEngine(1)
    await other.start()
    async with moshi_worker(bus_settings, engine, "old") as old:
        await call.start()
        await call.ask()
        await call.has("saying_audio")
        async with moshi_worker(bus_settings, other, "new"):
            await old.stop()
            await until(lambda: call.side.attempts(call.lease_id) == [0, 1], "the second claim")
            assert call.bodies(0)[-1] == "released"
            last = call.side.of("progress")[-1].progress
            # All that was said to what was heard has been sent before.
            said = len(call.audio(1)) // (2 * FRAME)
            assert last.audio_us == 800_000 + (said - 1) * 80_000
            seqs = [event.seq for event in call.side.events if event.attempt == 0]
            assert seqs == list(range(len(seqs)))
            assert engine.free == engine.slots
            await call.repeat(1)
            await call.say(silence(3.0))
            await call.put(end={})
            await call.has("leg_done")
    # What the first said and what the second did are the answer, no frame twice and none missing.
    assert len(call.audio(1)) + len(call.audio(2)) == ANSWER_BYTES + PAUSE_BYTES
    assert call.side.of("claim")[-1].claim.worker_id == "new"


async def test_the_leg_of_a_call_that_is_over_gives_its_slot_back(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    async with moshi_worker(bus_settings, engine):
        await call.start()
        await until(lambda: engine.free == 1, "the slot taken")
        await call.side.end()
        await until(lambda: engine.free == 2, "the slot given back")
    assert not call.side.of("failed")


async def test_a_call_for_which_no_slot_is_free_waits_and_is_served_next(
    call: MoshiCall, bus: Bus, bus_settings: BusSettings
) -> None:
    one = SimulatedEngine(1)
    await one.start()
    other = MoshiCall(bus, "call-other")
    await other.side.open()
    async with moshi_worker(bus_settings, one):
        await call.start()
        await other.submit()
        await call.ask()
        await call.say(silence(3.0))
        await call.has("saying_stopped")
        assert not other.side.events  # it waits in the queue, with nobody's slot
        await call.put(end={})
        await call.has("leg_done")
        await until(lambda: other.side.attempts(other.lease_id) == [0], "the other's claim")
        await other.ask()
        await other.has("saying_text")
    await other.side.close()


async def test_an_engine_that_fails_gives_its_calls_to_another_worker(
    call: MoshiCall, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    other = SimulatedEngine(1)
    await other.start()
    async with moshi_worker(bus_settings, engine, "broken") as broken:
        await call.start()
        await call.ask()
        await call.has("saying_audio")
        engine.fail("out of memory")
        await call.has("failed")
        await broken.stop()
        failed = call.side.of("failed")[0].failed
        assert (failed.error.code, failed.error.retryable, failed.final) == ("engine_failed", True, False)
        assert "out of memory" in failed.error.message
        async with moshi_worker(bus_settings, other, "well"):
            await until(lambda: len(call.side.attempts(call.lease_id)) > 1, "another attempt")
            await until(lambda: call.side.of("claim")[-1].claim.worker_id == "well", "the other's claim")
            attempt = call.side.attempts(call.lease_id)[-1]
            await call.repeat(attempt)
            await call.say(silence(3.0))
            await call.put(end={})
            await call.has("leg_done")
    assert len(call.audio(2, attempt)) == ANSWER_BYTES + PAUSE_BYTES


class _HalfStanding(SimulatedEngine):
    """Its first call's steps stand still."""

    def open(self) -> SimulatedSlot:
        """As `Engine.open`."""
        slot = super().open()
        if self.free == self.slots - 1:
            slot.next = asyncio.Event().wait  # type: ignore[method-assign,assignment] # for ever
        return slot


async def test_an_engine_that_stands_still_shows(
    call: MoshiCall, bus: Bus, bus_settings: BusSettings
) -> None:
    """It is silent about what it was fed, as one is whose gateway will look for another."""
    half = _HalfStanding(2)
    await half.start()
    other = MoshiCall(bus, "call-other")
    await other.side.open()
    async with moshi_worker(bus_settings, half):
        await call.start()
        await until(lambda: half.free == 1, "the first slot")
        await other.start()
        await call.say(silence(1.0))
        for count in (1, 2, 3):
            await other.say(silence(0.2))
            await other.has("progress", count)
    await other.side.close()
    told = [(event.progress.audio_us, event.progress.next_seq) for event in call.side.of("progress")]
    assert set(told) <= {(0, 4)}  # three pieces that are less than a frame, or nothing


async def test_who_is_sent_minutes_at_once_does_not_hold_up_another(
    call: MoshiCall, bus: Bus, engine: SimulatedEngine, bus_settings: BusSettings
) -> None:
    """A backlog is heard in steps: the other's answer comes before it is all heard."""
    other = MoshiCall(bus, "call-other")
    await other.side.open()
    async with moshi_worker(bus_settings, engine):
        await call.start()
        await other.start()
        minute = silence(1.0).tobytes()
        for _ in range(60):
            await call.put(audio=minute)
        await other.ask()
        await other.say(silence(3.0))
        await other.has("saying_stopped")
        await call.put(end={})
        await call.has("leg_done")
    await other.side.close()
    heard = [event.progress.audio_us for event in call.side.of("progress")]
    assert len(heard) >= 10  # one every five seconds at least
    assert max(np.diff([0, *heard])) <= 5_000_000 + 80_000
