"""The gateway stops: its calls end when nothing is lost by it, and by a code on which clients come back."""

from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out

from .harness import Rig


def codes(rig: Rig) -> list[int]:
    return [close.code for close in rig.closes()]


def test_a_call_in_which_nothing_goes_on_ends_at_once() -> None:
    rig = Rig()
    rig.listen()
    rig.feed(do.GoAway(10))
    assert codes(rig) == [1012]
    assert rig.errors() == []
    assert rig.call.open_leases() == 0


def test_an_answer_is_given_and_heard_to_its_end_first() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.feed(do.GoAway(60))
    rig.answer("Here you are.")
    assert rig.of(out.ResponseDone)[0].response.status == "completed"
    rig.wait(30)
    assert codes(rig) == [1012]


def test_what_the_user_is_saying_is_heard_and_answered_first() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.feed(do.GoAway(60))
    rig.speak(1000)
    ears.stopped(1, 900)
    ears.final(1, "How late is it?")
    assert codes(rig) == []
    rig.answer("A quarter past nine.")
    rig.wait(30)
    assert codes(rig) == [1012]
    assert len(rig.of(out.ResponseDone)) == 1


def test_what_takes_longer_than_the_grace_is_ended() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.feed(do.GoAway(2))
    rig.feed(do.GoAway(99))  # the first one counts
    rig.wait(2)
    assert codes(rig) == [1012]
    assert [done.response.status for done in rig.of(out.ResponseDone)] == ["cancelled"]
    assert rig.call.open_leases() == 0
