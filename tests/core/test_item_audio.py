"""The audio of the user's latest items comes with them when they are asked for."""

from typing import Any

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.session import Audio, AudioFormat, AudioInput, ServerVad, SessionConfig

from .harness import Rig

MS = 48  # bytes, at 24 kHz
PCMU: dict[str, Any] = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}


def told(rig: Rig, item_id: str) -> bytes | None:
    rig.feed(ask.RetrieveItem(item_id=item_id))
    event = rig.of(out.ItemRetrieved)[-1]
    assert event.item.id == item_id
    audio: bytes | None = event.audio
    return audio


def counted(rig: Rig, ms: int) -> bytes:
    """The client sends this much audio, in which every sample is its number."""
    begin = rig.call._ears.input_us * 24 // 1000
    audio = b"".join((n % 65_536).to_bytes(2, "little") for n in range(begin, begin + ms * 24))
    for at in range(0, len(audio), 20 * MS):
        rig.feed(ask.AppendAudio(audio=audio[at : at + 20 * MS]))
        rig.now += 0.02
    if rig.ears is not None:
        rig.ears.heard()
    return audio


def by_hand(limits: Limits | None = None) -> Rig:
    return Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=None))), limits=limits)


def committed(rig: Rig) -> str:
    rig.feed(ask.CommitAudio())
    item_id: str = rig.of(out.InputCommitted)[-1].item_id
    return item_id


def test_an_item_comes_with_exactly_the_audio_of_its_turn() -> None:
    rig = Rig()
    counted(rig, 20)
    ears = rig.take("asr")
    rig.ears = ears
    rest = counted(rig, 2000)
    ears.started(1, 503)
    more = counted(rig, 1000)
    ears.stopped(1, 2511)
    counted(rig, 300)
    audio = told(rig, rig.of(out.InputCommitted)[0].item_id)
    assert audio == (b"\x00" * 20 * MS + rest + more)[503 * MS : 2511 * MS]
    ears.final(1, "Hello")
    assert told(rig, rig.of(out.InputCommitted)[0].item_id) == audio


def test_what_is_committed_by_hand_is_all_that_was_sent_since_the_last() -> None:
    rig = by_hand()
    first = counted(rig, 500)
    item_id = committed(rig)
    second = counted(rig, 300)
    assert told(rig, committed(rig)) == second
    assert told(rig, item_id) == first


def test_the_newest_items_win_and_what_is_too_long_is_left_out() -> None:
    rig = by_hand(Limits(item_audio_bytes=1000 * MS))
    items = []
    for ms in (400, 400, 400, 1100, 600):
        counted(rig, ms)
        items.append(committed(rig))
    held = [audio and len(audio) // MS for audio in (told(rig, item_id) for item_id in items)]
    assert held == [None, None, 400, None, 600]


def test_the_bound_keeps_the_largest_answer_below_a_mebibyte_as_base64() -> None:
    assert Limits().item_audio_bytes * 4 / 3 < 800_000


def test_nothing_is_kept_of_an_item_that_is_deleted() -> None:
    rig = by_hand()
    counted(rig, 500)
    item_id = committed(rig)
    rig.feed(ask.DeleteItem(item_id=item_id))
    assert rig.call._turns._audio._held == 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_audio_of_another_format_than_the_sessions_is_left_out(when: str) -> None:
    rig = by_hand()
    counted(rig, 500)
    if when == "before":
        rig.feed(ask.UpdateSession(patch=PCMU))
        rig.feed(ask.AppendAudio(audio=bytes(1600)))
    item_id = committed(rig)
    if when == "after":
        rig.feed(ask.UpdateSession(patch=PCMU))
    assert told(rig, item_id) is None


def test_audio_of_g711_comes_as_it_was_sent() -> None:
    form = AudioFormat("audio/pcmu")
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(format=form, turn_detection=None))))
    audio = bytes(n % 251 for n in range(8000))
    for at in range(0, len(audio), 160):
        rig.feed(ask.AppendAudio(audio=audio[at : at + 160]))
    assert told(rig, committed(rig)) == audio


def test_the_clock_is_right_when_the_format_changes_in_the_middle_of_audio() -> None:
    rig = by_hand()
    rig.speak(500)
    rig.feed(ask.UpdateSession(patch=PCMU))
    rig.feed(ask.AppendAudio(audio=bytes(8 * 250)))
    assert rig.call._ears.input_us == 750_000
    rig.feed(ask.UpdateSession(patch={"audio": {"input": {"format": {"type": "audio/pcm", "rate": 24_000}}}}))
    rig.feed(ask.AppendAudio(audio=bytes(MS * 100)))
    assert rig.call._ears.input_us == 850_000
    item_id = committed(rig)
    assert told(rig, item_id) is None
    sent = [frame.start_us for frame in rig.inputs()]
    assert sent == sorted(sent)


def test_silence_that_is_committed_comes_without_audio() -> None:
    detection = ServerVad(idle_timeout_ms=5000)
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=detection))))
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.answer("Noon.")
    for _ in range(400):
        rig.speak(20)
        rig.wait(0)
    assert told(rig, rig.of(out.TimeoutTriggered)[0].item_id) is None
