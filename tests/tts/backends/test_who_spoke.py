"""Who really spoke is said of every sentence: to the gateway, in the metrics, and in its span."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from dialtone.bus import WorkError
from dialtone.tts.engines.simulated import SimulatedEngine
from dialtone.tts.metrics import UPSTREAM
from dialtone.tts.settings import TtsSettings
from dialtone.tts.speaker import Speaker
from dialtone.tts.voices import Voice, VoiceRegistry
from dialtone.vendors.breaker import Breaker
from dialtone.vendors.limits import BreakerLimits
from tests.tts.backends.conftest import MakeRig
from tests.tts.backends.speech_server import Speech, tone
from tests.tts.leases import SentenceLease


async def _list(make_rig: MakeRig, *speeches: Speech) -> Speaker:
    """A stage whose voice "both" is a vendor's, which does so, and then one of this machine."""
    rig = await make_rig("openai")
    rig.server.speeches.extend(speeches)
    breaker = Breaker("openai", BreakerLimits(), UPSTREAM)
    voices = {
        "first": Voice("first", "*", rig.engine, any_script=True, breaker=breaker),
        "second": Voice("second", "*", SimulatedEngine(), any_script=True),
    }
    return Speaker(VoiceRegistry({**voices, "both": ("first", "second")}, {}), TtsSettings())


def _seconds(voice: str) -> float:
    return REGISTRY.get_sample_value("dialtone_tts_audio_seconds_total", {"voice": voice}) or 0.0


def _failures() -> float:
    labels = {"backend": "openai", "code": "upstream_error"}
    return REGISTRY.get_sample_value("dialtone_tts_upstream_failures_total", labels) or 0.0


async def test_a_sentence_that_went_to_the_next_of_a_list_is_the_nexts_everywhere(
    make_rig: MakeRig, made_spans: InMemorySpanExporter
) -> None:
    stage = await _list(make_rig, Speech(status=500))
    failures, first, second = _failures(), _seconds("first"), _seconds("second")
    lease = SentenceLease("Hello there.", name="both")
    await stage.handle(lease)
    assert (lease.ended.voice, lease.ended.backend) == ("second", "simulated")
    (span,) = made_spans.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert span.name == "speak second"
    assert attributes["gen_ai.request.model"] == "first"
    assert attributes["gen_ai.response.model"] == "second"
    assert attributes["dialtone.backend"] == "simulated"
    assert (_failures(), _seconds("first")) == (failures + 1, first)
    assert _seconds("second") == pytest.approx(second + 0.72)


async def test_one_that_broke_off_is_whose_voice_was_heard(
    make_rig: MakeRig, made_spans: InMemorySpanExporter
) -> None:
    stage = await _list(make_rig, Speech(parts=[tone()] * 2, cut_after=1))
    with pytest.raises(WorkError):
        await stage.handle(SentenceLease("Hello there.", name="both"))
    (span,) = made_spans.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert span.name == "speak first"
    assert (attributes["dialtone.backend"], attributes["error.type"]) == ("openai", "upstream_cut")


async def test_a_sentence_of_two_languages_names_both_voices(made_spans: InMemorySpanExporter) -> None:
    voices = {"joe": Voice("joe", "en", SimulatedEngine()), "mei": Voice("mei", "zh", SimulatedEngine())}
    lease = SentenceLease("I love 北京 very much.", name="joe")
    await Speaker(VoiceRegistry(voices, {}), TtsSettings()).handle(lease)
    assert (lease.ended.voice, lease.ended.backend) == ("joe+mei", "simulated")
    assert [span.name for span in made_spans.get_finished_spans()] == ["speak joe+mei"]
