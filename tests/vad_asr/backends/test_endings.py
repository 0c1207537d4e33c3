"""A vendor's own endpointing, where its entry asks for it: its word ends a turn, and nothing but its word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import pytest

from dialtone.bus import Bus, LeaseWorker, Stage
from dialtone.settings import BusSettings
from dialtone.v1.ears_pb2 import EarsConfig, EarsLeg, EarsResume, Transcript, TurnDetection
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.work_pb2 import Work
from dialtone.vad_asr.asr.kinds import new_backend
from dialtone.vad_asr.asr.pool import Urgency
from dialtone.vad_asr.asr.registry import AsrRegistry, lines_of
from dialtone.vad_asr.endpointing import Endpointer, Stopped
from dialtone.vad_asr.policy import TurnDefaults, TurnPolicy
from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.transcriber import BackendTranscriber
from dialtone.vad_asr.vad.level import LevelGate
from dialtone.vad_asr.vad.tracker import VoiceTracker
from dialtone.vendors.registry import BadRegistry
from tests.contract.bus.call_side import CallSide
from tests.contract.bus.call_side import until as bus_until
from tests.fixtures.speech import Samples, silence, voice_like
from tests.vad_asr.backends.conftest import MakeRig, passage, until
from tests.vad_asr.backends.deepgram_server import DeepgramServer
from tests.vad_asr.backends.http_server import HttpServer
from tests.vad_asr.backends.scenes import API_KEY, MODEL, Scene
from tests.vad_asr.ears_call import PCM16_16K, EarsCall, server_vad
from tests.vad_asr.test_over_the_bus import Speaker

_BOUND_MS = 4000  # the silence of the sessions here: by far more than the vendor's
_TOLD_US = 3_000_000  # a turn with less behind it than that was ended by the vendor

MakeEars = Callable[..., Ears]


@pytest.fixture
async def make_ears(
    http_servers: dict[str, HttpServer], deepgram_server: DeepgramServer
) -> AsyncIterator[MakeEars]:
    """Ears that ask Deepgram, which is to end turns, then OpenAI; with fields of the first one's entry."""
    made: list[Ears] = []

    def make(**fields: Any) -> Ears:
        openai = http_servers["openai"]
        openai.reset()
        common = {"api_key": API_KEY, "model": MODEL}
        first = {"backend": "deepgram", "base_url": deepgram_server.url, "endpointing": "vendor"}
        entries = {
            "first": {**common, **first, **fields},
            "second": {**common, "backend": "openai", "base_url": openai.url},
        }
        settings = EarsSettings(asr_models=json.dumps(entries), asr_default_model="first,second")
        registry = AsrRegistry(*lines_of(settings), lambda entry: new_backend(entry, None))
        made.append(Ears(settings, LevelGate, partial(BackendTranscriber, registry), registry.close))
        return made[-1]

    yield make
    for ears in made:
        await ears.close()


async def _say_live(call: EarsCall, *parts: Samples) -> None:
    """Four times as fast as in real time."""
    samples = np.concatenate(parts)
    for at in range(0, len(samples), 800):
        call.say(samples[at : at + 800])
        await asyncio.sleep(0.0125)


async def _hush_until(call: EarsCall, transcripts: int = 1) -> None:
    """Say nothing until there are so many final transcripts."""
    async with asyncio.timeout(20):
        while len(call.transcripts()) < transcripts:
            await _say_live(call, silence(0.05))


def _waited_us(call: EarsCall, turn: int = 0) -> int:
    stopped = call.stopped[turn]
    return int(stopped.audio_end_us - stopped.speech_end_us)


@pytest.mark.parametrize(
    ("ends", "at_least_us"), [(("speech_final",), 250_000), (("UtteranceEnd",), 900_000)]
)
async def test_the_vendors_word_ends_a_turn(
    make_ears: MakeEars, deepgram_server: DeepgramServer, ends: tuple[str, ...], at_least_us: int
) -> None:
    deepgram_server.ends = ends
    call = EarsCall(server_vad(_BOUND_MS)).start(make_ears().handle)
    await _say_live(call, voice_like(1.0))
    await _hush_until(call)
    assert at_least_us <= _waited_us(call) < _TOLD_US
    (final,) = call.transcripts()
    assert (final.text, final.backend) == ("Hello there.", "deepgram")
    assert deepgram_server.finalized == 0, "what it said to be over was final"
    await call.finish()


async def test_turns_after_one_another_share_a_connection(
    make_ears: MakeEars, deepgram_server: DeepgramServer
) -> None:
    deepgram_server.end_delay_s = 0.15  # more silence was sent by then
    deepgram_server.script += [Scene(("First.",)), Scene(("Second.",))]
    call = EarsCall(server_vad(_BOUND_MS)).start(make_ears().handle)
    for turn in range(2):
        await _say_live(call, voice_like(0.8))
        await _hush_until(call, turn + 1)
        assert _waited_us(call, turn) < _TOLD_US
    await call.finish()
    assert [final.text for final in call.transcripts()] == ["First.", "Second."]
    assert len(deepgram_server.queries) == 1
    assert deepgram_server.queries[0]["endpointing"] == "300"


async def test_words_are_shown_while_it_listens(make_ears: MakeEars) -> None:
    config = server_vad(_BOUND_MS)
    config.transcription.partials = True
    call = EarsCall(config).start(make_ears().handle)
    await _say_live(call, voice_like(1.5))
    await _hush_until(call)
    await call.finish()
    shown = [partial.text for partial in call.transcripts(Transcript.KIND_PARTIAL)]
    assert shown[0] == "Hello"
    assert len(shown) == len(set(shown)), "nothing is shown twice"


async def test_one_that_never_says_so_does_not_hang_the_turn(
    make_ears: MakeEars, deepgram_server: DeepgramServer
) -> None:
    deepgram_server.ends = ()
    call = EarsCall(server_vad(600)).start(make_ears().handle)
    await _say_live(call, voice_like(1.0))
    await _hush_until(call)
    await call.finish()
    assert 590_000 <= _waited_us(call) <= 650_000
    assert call.transcripts()[0].text == "Hello there."


def _semantic() -> EarsConfig:
    config = server_vad(0)
    config.turn_detection.mode = TurnDetection.MODE_SEMANTIC_VAD
    config.turn_detection.eagerness = TurnDetection.EAGERNESS_LOW
    return config


def _manual() -> EarsConfig:
    return EarsConfig(turn_detection=TurnDetection(mode=TurnDetection.MODE_MANUAL))


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        (_semantic(), {}),
        (_manual(), {}),
        (server_vad(_BOUND_MS), {"endpointing": "ours", "extra": {"endpointing": 300}}),
    ],
    ids=["by the words", "the client's", "not asked for"],
)
async def test_what_is_not_left_to_it_is_none_of_its_business(
    make_ears: MakeEars, deepgram_server: DeepgramServer, config: EarsConfig, fields: dict[str, Any]
) -> None:
    deepgram_server.script += [Scene(("And then,",))] * 8
    call = EarsCall(config).start(make_ears(**fields).handle)
    await _say_live(call, voice_like(1.0), silence(1.5))
    assert call.stopped == []
    await call.finish()


async def test_who_speaks_on_before_it_says_so_is_not_cut(
    make_ears: MakeEars, deepgram_server: DeepgramServer
) -> None:
    deepgram_server.end_delay_s = 0.2  # 0.8 s of what is said here
    deepgram_server.script += [Scene(("One two",)), Scene(("three.",))]
    call = EarsCall(server_vad(_BOUND_MS)).start(make_ears().handle)
    await _say_live(call, voice_like(1.0), silence(0.8), voice_like(2.0))
    await _hush_until(call)
    await call.finish()
    assert [final.text for final in call.transcripts()] == ["One two three."]
    assert len(call.started) == 1


async def test_who_speaks_after_it_said_so_begins_another_turn(
    make_ears: MakeEars, deepgram_server: DeepgramServer
) -> None:
    deepgram_server.script += [Scene(("One two",)), Scene(("three.",))]
    call = EarsCall(server_vad(_BOUND_MS)).start(make_ears().handle)
    for turn in range(2):
        await _say_live(call, voice_like(1.0))
        await _hush_until(call, turn + 1)
    await call.finish()
    assert [final.text for final in call.transcripts()] == ["One two", "three."]
    assert len(call.started) == len(call.stopped) == 2


async def test_an_end_that_overtakes_the_words_before_it_waits_for_them(
    make_ears: MakeEars, deepgram_server: DeepgramServer
) -> None:
    deepgram_server.swaps = True
    deepgram_server.script.append(Scene(("One", " two", " three.")))
    call = EarsCall(server_vad(_BOUND_MS)).start(make_ears().handle)
    await _say_live(call, voice_like(1.0))
    await _hush_until(call)
    await call.finish()
    assert call.transcripts()[0].text == "One two three."
    assert _waited_us(call) < _TOLD_US


async def test_one_that_fails_has_no_say_and_the_next_has_the_words(
    make_ears: MakeEars, deepgram_server: DeepgramServer
) -> None:
    deepgram_server.refusals += [Scene(status=500)] * 9
    call = EarsCall(server_vad(600)).start(make_ears().handle)
    await _say_live(call, voice_like(1.0))
    await _hush_until(call)
    await call.finish()
    assert [(final.text, final.backend) for final in call.transcripts()] == [("Hello there.", "openai")]
    assert 590_000 <= _waited_us(call) <= 650_000
    assert len(deepgram_server.refusals) >= 5, "not asked again at every tenth of a second"


async def test_the_silence_that_one_was_to_hear_is_not_sent_once_it_has_failed(
    make_ears: MakeEars,
    deepgram_server: DeepgramServer,
    http_servers: dict[str, HttpServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAD_EARLY_PAUSE_MS", "0")  # the words are asked for at the end alone
    deepgram_server.refusals += [Scene(status=500)] * 9
    call = EarsCall(server_vad(1_000)).start(make_ears().handle)
    await _say_live(call, voice_like(1.0))
    await _hush_until(call)
    await call.finish()
    assert http_servers["openai"].asked[-1].seconds <= 1.6, "of a second of speech and as much silence"


async def test_a_leg_that_moved_in_mid_turn_is_ended_by_it_too(make_ears: MakeEars) -> None:
    resume = EarsResume(next_utterance=2, next_seq=1, in_speech=True, speech_start_us=0)
    call = EarsCall(server_vad(_BOUND_MS), resume=resume).start(make_ears().handle)
    call.say(voice_like(1.0))  # what was heard before, all at once
    await _say_live(call, voice_like(0.5))
    await _hush_until(call)
    await call.finish()
    assert call.started == []
    assert [(final.utterance, final.text) for final in call.transcripts()] == [(1, "Hello there.")]
    assert _waited_us(call) < _TOLD_US


async def test_a_worker_that_leaves_in_mid_turn_leaves_its_end_to_the_next(
    bus: Bus, bus_settings: BusSettings, make_ears: MakeEars, deepgram_server: DeepgramServer
) -> None:
    config = server_vad(_BOUND_MS)
    call = await CallSide(bus, "call-endings").open()

    def grant(claim: WorkerEvent) -> Grant:
        again = claim.attempt > 0  # the turn was announced by the attempt before
        resume = EarsResume(next_utterance=2 if again else 1, in_speech=again, config=config)
        return Grant(granted=True, ears=resume)

    call.grant = grant
    await bus.ensure_stage(Stage.ASR, "default")
    leg = EarsLeg(format=PCM16_16K, config=config)
    await bus.submit(Stage.ASR, "default", Work(lease_id="l1", call_id=call.call_id, ears=leg))
    speaker = Speaker(call)

    async def speak(samples: Samples) -> None:
        for at in range(0, len(samples), 800):
            await speaker.say(samples[at : at + 800])
            await asyncio.sleep(0.0125)

    ears = make_ears()
    async with AsyncExitStack() as workers:

        async def work(name: str) -> LeaseWorker:
            own = await Bus.connect(bus_settings, name=name)
            workers.push_async_callback(own.close)
            worker = LeaseWorker(own, Stage.ASR, ears.handle, slots=1, worker_id=name)
            running = asyncio.create_task(worker.run())
            workers.push_async_callback(asyncio.wait, {running})
            workers.callback(running.cancel)
            return worker

        first = await work("w1")
        await bus_until(lambda: call.attempts("l1") == [0], "the first claim")
        await speak(np.concatenate([silence(0.3), voice_like(1.0)]))
        await bus_until(lambda: bool(call.of("speech_started")), "speech started")
        await work("w2")
        leaving = asyncio.create_task(first.stop())
        await bus_until(lambda: call.attempts("l1") == [0, 1], "the second claim")
        await leaving
        await speaker.repeat(1)
        await speak(voice_like(0.5))
        async with asyncio.timeout(20):
            while not call.of("transcript"):
                await speak(silence(0.05))
        await speaker.put(end={})
        await bus_until(lambda: bool(call.of("leg_done")), "the end of the leg")
    await call.close()
    assert len(call.of("speech_started")) == 1
    (stopped,) = call.of("speech_stopped")
    told = stopped.speech_stopped
    assert stopped.attempt == 1
    assert told.audio_end_us - told.speech_end_us < _TOLD_US
    (final,) = call.of("transcript")
    assert (final.transcript.text, final.transcript.backend) == ("Hello there.", "deepgram")
    await until(lambda: deepgram_server.open == 0)


async def test_its_word_is_of_what_was_heard_so_far(make_rig: MakeRig) -> None:
    rig = await make_rig("deepgram", endpointing="vendor")
    listener = rig.listen()
    said = passage(1.0).samples
    quiet = np.concatenate([said, silence(0.5)])
    voice = ((0, 16_000),)

    async def follow(samples: Samples, *spans: tuple[int, int]) -> bool:
        asked = passage(1.0)
        question = rig.question(type(asked)(samples, voice=spans), Urgency.FOLLOWED)
        return [heard.turn_over async for heard in listener.hear(question)][-1]

    assert not await follow(said, *voice)
    assert await follow(quiet, *voice)
    more = np.concatenate([quiet, voice_like(0.4)])
    assert not await follow(more, *voice, (24_000, 30_400)), "a voice was heard since"
    assert await follow(np.concatenate([more, silence(0.5)]), *voice, (24_000, 30_400))
    await listener.close()
    await until(lambda: rig.server.open == 0)


@dataclass
class _Heard:
    """A tracker, as far as an endpointer looks at it."""

    position: int
    voiced: bool
    last_voiced: int
    onset: int | None = None


def test_its_word_counts_for_nothing_while_a_voice_is_heard_nor_once_one_was() -> None:
    endpointer = Endpointer(TurnPolicy.of(server_vad(_BOUND_MS), TurnDefaults()), max_turn=10**9)

    def ends(**heard: Any) -> bool:
        boundaries = endpointer.advance(cast(VoiceTracker, _Heard(**heard)))
        return any(isinstance(boundary, Stopped) for boundary in boundaries)

    assert not ends(position=2_000, voiced=True, last_voiced=2_000, onset=0)
    endpointer.tell(8_000)
    assert not ends(position=8_000, voiced=True, last_voiced=8_000)
    assert not ends(position=9_000, voiced=False, last_voiced=8_000), "it was told in mid-word"
    endpointer.tell(9_000)
    assert not ends(position=12_000, voiced=False, last_voiced=10_000), "a voice came after what it heard"
    endpointer.tell(12_000)
    assert ends(position=12_320, voiced=False, last_voiced=10_000)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"backend": "openai"}, "openai cannot end turns"),
        ({"backend": "deepgram", "early": False}, "has to be asked early"),
    ],
)
def test_an_entry_that_cannot_be_kept_is_refused(entry: dict[str, Any], said: str) -> None:
    settings = EarsSettings(
        asr_models=json.dumps({"a": {**entry, "endpointing": "vendor"}}), asr_default_model="a"
    )
    with pytest.raises(BadRegistry, match=said):
        AsrRegistry(*lines_of(settings), lambda one: new_backend(one, None))
