"""What a response used, and what a call may use in a minute: every figure is true and adds up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.items import InputText, MessageItem
from dialtone.gateway.core.rate_limits import RateLimits
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.core.usage import UsageCount
from dialtone.v1.common_pb2 import Usage
from dialtone.v1.turn_pb2 import LlmTurn, Message

from .harness import Rig

TEXT = SessionConfig(output_modalities=["text"])


def asked(limits: Limits | None = None) -> Rig:
    rig = Rig(TEXT, limits=limits)
    rig.feed(ask.CreateItem(item=MessageItem("", "user", [InputText("Hi there, how are you?")])))
    return rig


def answer(rig: Rig) -> out.Response:
    rig.feed(ask.CreateResponse())
    llm = rig.take("llm")
    llm.text("Well.")
    llm.done()
    response: out.Response = rig.of(out.ResponseDone)[-1].response
    return response


def adds_up(usage: out.Usage) -> None:
    given, made = usage.input_token_details, usage.output_token_details
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.input_tokens == given.text_tokens + given.audio_tokens + given.image_tokens
    assert usage.output_tokens == made.text_tokens + made.audio_tokens
    cached = given.cached_tokens_details
    assert given.cached_tokens == cached.text_tokens + cached.audio_tokens + cached.image_tokens
    assert given.cached_tokens <= usage.input_tokens


def test_usage_has_the_models_text_tokens_and_the_protocols_audio_tokens() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())  # 0.8 s
    rig.answer("Noon.")  # spoken for 1 s
    usage = rig.of(out.ResponseDone)[0].response.usage
    assert usage.input_token_details.text_tokens == 10
    assert usage.input_token_details.audio_tokens == 8
    assert usage.output_token_details == out.OutputTokens(text_tokens=5, audio_tokens=20)
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (18, 25, 43)
    assert usage.input_token_details.cached_tokens == 4
    adds_up(usage)


def test_what_the_user_said_is_counted_once_by_the_response_that_first_has_it() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.answer("Noon.")
    rig.feed(ask.CreateResponse(options=ask.ResponseOptions(conversation="none", input=[])))
    rig.take("llm").failed("broken")
    rig.feed(ask.CreateResponse())
    rig.answer("Still noon.")
    audio = [e.response.usage.input_token_details.audio_tokens for e in rig.of(out.ResponseDone)]
    assert audio == [8, 0, 0]


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_a_response_that_was_stopped_tells_what_it_used_all_the_same(how: str) -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("It is noon in London. And")
    rig.take("tts").audio(0, 700)
    if how == "cancelled":
        rig.feed(ask.CancelResponse())
    else:
        llm.failed("broken")
    response = rig.of(out.ResponseDone)[0].response
    assert response.status == how
    adds_up(response.usage)
    assert response.usage.output_token_details == out.OutputTokens(text_tokens=7, audio_tokens=14)
    assert response.usage.input_token_details.text_tokens == 4  # "What time is it?", reckoned


def test_attempts_that_were_lost_are_added_to_the_one_that_told() -> None:
    rig = asked()  # "Hi there, how are you?": 6 tokens
    rig.feed(ask.CreateResponse())
    first = rig.take("llm")
    first.text("One two. ")  # 3
    second = rig.claim(first.work, attempt=1)  # given these three
    second.text("Three four. ")  # 3
    third = rig.claim(first.work, attempt=2)
    third.text("Five.")
    third.done()  # as its server counts: 10 in, 5 out
    usage = rig.of(out.ResponseDone)[0].response.usage
    adds_up(usage)
    assert usage.input_tokens == 6 + (6 + 3) + 10
    assert usage.output_tokens == 3 + 3 + 5


def test_an_attempt_that_was_lost_before_it_said_anything_used_nothing() -> None:
    rig = asked()
    rig.feed(ask.CreateResponse())
    first = rig.take("llm")
    second = rig.claim(first.work, attempt=1)
    second.text("Well.")
    second.done()
    usage = rig.of(out.ResponseDone)[0].response.usage
    assert (usage.input_tokens, usage.output_tokens) == (10, 5)


def test_calls_that_are_thrown_away_with_their_attempt_are_counted() -> None:
    rig = asked()
    rig.feed(ask.CreateResponse())
    first = rig.take("llm")
    first.tool(0, "look_up", '{"name": "Ada Lovelace"}')
    second = rig.claim(first.work, attempt=1)
    second.text("Well.")
    second.done()
    usage = rig.of(out.ResponseDone)[0].response.usage
    adds_up(usage)
    assert usage.input_tokens == 6 + 10
    assert usage.output_tokens > 5


def test_attempts_that_were_lost_while_the_answer_was_a_guess_are_counted_too() -> None:
    rig = Rig(TEXT)
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    ears.candidate(1, "What time is it?")  # 4 tokens
    first = rig.take("llm")
    first.text("One two. ")
    first.tool(0, "look_up", "{}")  # 5, with the text
    second = rig.claim(first.work, attempt=1)
    second.text("Three four. ")  # 3
    ears.stopped(1, 800)
    ears.final(1, "What time is it?")
    third = rig.claim(first.work, attempt=2)
    third.text("Five.")
    third.done()  # as its server counts: 10 in, 5 out
    usage = rig.of(out.ResponseDone)[0].response.usage
    adds_up(usage)
    assert usage.input_token_details.text_tokens == 4 + (4 + 3) + 10
    assert usage.output_tokens == 5 + 3 + 5


def test_a_response_whose_model_said_nothing_used_nothing() -> None:
    rig = asked()
    rig.feed(ask.CreateResponse())
    rig.feed(ask.CancelResponse())
    assert rig.of(out.ResponseDone)[0].response.usage == out.Usage()


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.text(max_size=40),
    st.text(max_size=40),
)
def test_usage_adds_up_whatever_a_model_tells(
    given: int, cached: int, images: int, made: int, heard_us: int, spoken_us: int, prompt: str, written: str
) -> None:
    count = UsageCount()
    count.heard_us = heard_us
    count.asked = LlmTurn(messages=[Message(text=prompt)])
    count.told(Usage(input_tokens=given, cached_tokens=cached, image_tokens=images, output_tokens=made))
    adds_up(count.total(written=written, spoken_us=spoken_us))


def test_images_are_told_apart_where_the_models_server_does() -> None:
    count = UsageCount()
    count.told(Usage(input_tokens=100, image_tokens=85, output_tokens=3))
    details = count.total(written="A cat.", spoken_us=0).input_token_details
    assert (details.text_tokens, details.image_tokens) == (15, 85)


def test_rate_limits_are_told_after_each_response_to_the_conversation_with_true_numbers() -> None:
    rig = asked(Limits(requests_per_minute=10, tokens_per_minute=1000))
    answer(rig)
    assert rig.types()[-2:] == ["response.done", "rate_limits.updated"]
    rig.now += 20
    used = answer(rig).usage
    assert used is not None
    requests, tokens = rig.of(out.RateLimitsUpdated)[-1].rate_limits
    assert (requests.name, requests.limit, requests.remaining) == ("requests", 10, 8)
    assert (tokens.name, tokens.limit, tokens.remaining) == ("tokens", 1000, 1000 - 2 * used.total_tokens)
    assert requests.reset_seconds == tokens.reset_seconds == 60.0
    rig.now += 45  # the first is forgotten
    answer(rig)
    assert rig.of(out.RateLimitsUpdated)[-1].rate_limits[0].remaining == 8
    assert len(rig.of(out.RateLimitsUpdated)) == 3


def test_a_response_beside_the_conversation_counts_and_is_not_followed_by_rate_limits() -> None:
    rig = asked(Limits(requests_per_minute=10))
    rig.feed(ask.CreateResponse(options=ask.ResponseOptions(conversation="none")))
    rig.take("llm").failed("broken")
    assert not rig.of(out.RateLimitsUpdated)
    answer(rig)
    assert rig.of(out.RateLimitsUpdated)[0].rate_limits[0].remaining == 8


@pytest.mark.parametrize(
    "limits",
    [Limits(requests_per_minute=1, tokens_per_minute=0), Limits(requests_per_minute=0, tokens_per_minute=12)],
)
def test_a_response_beyond_a_limit_fails_and_one_a_minute_later_does_not(limits: Limits) -> None:
    rig = asked(limits)
    assert answer(rig).status == "completed"
    rig.now += 10
    rig.feed(ask.CreateResponse())
    response = rig.of(out.ResponseDone)[-1].response
    assert response.status == "failed"
    error = response.status_details.error
    assert (error.type, error.code) == ("rate_limit_error", "rate_limit_exceeded")
    assert "try again in 50.0s" in error.message
    assert len(rig.work("llm")) == 1
    assert rig.of(out.RateLimitsUpdated)[-1].rate_limits[0].remaining == 0
    rig.now += 50
    assert answer(rig).status == "completed"


def test_nothing_begins_while_the_calls_of_its_tenant_have_used_their_tokens() -> None:
    rig = asked(Limits(requests_per_minute=0, tokens_per_minute=0))
    rig.feed(do.TenantSpent(30.0))
    rig.now += 10
    rig.feed(ask.CreateResponse())
    error = rig.of(out.ResponseDone)[-1].response.status_details.error
    assert (error.type, error.code) == ("rate_limit_error", "rate_limit_exceeded")
    assert "try again in 20.0s" in error.message
    assert not rig.work("llm")
    rig.now += 20
    assert answer(rig).status == "completed"


def test_a_turn_by_voice_beyond_the_limit_fails_too_and_a_guess_at_it_is_dropped() -> None:
    rig = Rig(limits=Limits(requests_per_minute=1))
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.answer("Noon.")
    ears.started(2, 2000)
    ears.candidate(2, "And in Tokyo?")
    rig.take("llm").text("Nine. And")
    ears.stopped(2, 3000)
    ears.final(2, "And in Tokyo?")
    assert rig.of(out.ResponseDone)[-1].response.status == "failed"
    assert rig.call._answers.idle
    assert not [lease for lease in rig.call._ctx.leases.all() if lease.stage != "asr"]


def test_without_limits_nothing_is_told_of_them() -> None:
    rig = asked(Limits(requests_per_minute=0, tokens_per_minute=0))
    for _ in range(50):
        answer(rig)
    assert not rig.of(out.RateLimitsUpdated)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 400)), max_size=60))
def test_no_minute_ever_has_more_than_its_limit(steps: list[tuple[float, int]]) -> None:
    limits = RateLimits(requests_per_minute=7, tokens_per_minute=900)
    now, admitted, used = 0.0, [], []
    for pause, tokens in steps:
        now += pause
        if limits.admit(now) is None:
            admitted.append(now)
            limits.used(tokens, now)
            used.append((now, tokens))
        state = limits.updated(now)
        assert state is not None
        requests, token_state = state.rate_limits
        in_window = [at for at in admitted if at > now - 59.5]  # grains of half a second are one moment
        assert len([at for at in admitted if at > now - 59.5 and at <= now]) <= 7
        assert requests.remaining <= 7 - len(in_window)
        assert token_state.remaining <= max(0, 900 - sum(n for at, n in used if at > now - 59.5))
        assert 0 <= requests.reset_seconds <= 60
