"""Calls in one batch do not hear each other, nor what was said in their row before them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dialtone.llm.moshi.batched_model import BatchedModel
from tests.moshi.calls import Answer, Call, alone, churn, loaded, run, served_singly, voice

pytestmark = pytest.mark.timeout(300)  # all of it is computing, which may be slow where others compute too

# Past the context of the language model (48) and of Mimi's transformers, so that both rings have gone round.
_FRAMES = 72


@pytest.fixture(scope="module")
def answers_alone(tiny: Path) -> list[Answer]:
    """Of the churning calls, each by itself, as the package's own server holds them."""
    return served_singly(tiny, [call.audio for call in churn(_FRAMES)])


def test_in_float32_a_call_in_a_churning_batch_is_token_for_token_the_call_alone(
    tiny: Path, answers_alone: list[Answer]
) -> None:
    calls = churn(_FRAMES)
    run(loaded(tiny, rows=4), calls)
    for call, expected in zip(calls, answers_alone, strict=True):
        assert call.answer.silent_steps == expected.silent_steps == 1
        assert call.answer.tokens() == expected.tokens()
        assert np.abs(call.answer.sound() - expected.sound()).max() < 1e-5


def test_what_a_call_is_told_depends_on_what_it_says(answers_alone: list[Answer]) -> None:
    """Else the tests of this module would find nothing."""
    first, *others = answers_alone
    for other in others:
        same = [one == another for one, another in zip(first.tokens(), other.tokens(), strict=False)]
        assert np.mean(same) < 0.1
        length = min(len(first.sound()), len(other.sound()))
        assert np.abs(first.sound()[:length] - other.sound()[:length]).max() > 0.01


def test_in_bfloat16_a_call_in_a_churning_batch_is_bit_for_bit_the_call_with_nobody_else_in(
    tiny: Path,
) -> None:
    calls = churn(_FRAMES)
    model = loaded(tiny, rows=4, dtype=torch.bfloat16)
    run(model, calls)
    quiet = loaded(tiny, rows=4, dtype=torch.bfloat16)
    # In another order: what would remain in a row of the call before is not the same.
    for call in reversed(calls):
        expected = alone(quiet, call.audio, call.row)
        assert call.answer.tokens() == expected.tokens()
        assert (call.answer.sound() == expected.sound()).all()


def test_nothing_of_the_last_call_remains_in_a_row(nano: Path) -> None:
    fresh = alone(loaded(nano, rows=2), voice(2, 30), row=1)
    used = loaded(nano, rows=2)
    run(used, [Call(voice(1, 70), row=1, joins=0), Call(voice(3, 70), row=0, joins=0)])
    after = alone(used, voice(2, 30), row=1)
    assert after.tokens() == fresh.tokens()
    assert (after.sound() == fresh.sound()).all()


def test_a_row_whose_past_is_no_number_is_sound_for_the_next_call(nano: Path) -> None:
    model = loaded(nano, rows=2)
    neighbour = Call(voice(3, 40), row=0, joins=0)
    poisoned = Call(voice(1, 20), row=1, joins=0)

    def poison(step: int) -> None:
        if step == 10:
            for cache in model._caches:
                cache[:, 1] = float("nan")

    run(model, [neighbour, poisoned], poison)
    assert np.isnan(poisoned.answer.pcm[-1]).all(), "or this test shows nothing"
    clean = loaded(nano, rows=2)
    assert neighbour.answer.tokens() == alone(clean, neighbour.audio).tokens()
    assert alone(model, voice(2, 20), row=1).tokens() == alone(clean, voice(2, 20), row=1).tokens()


class Unreset(BatchedModel):
    """The language model is not reset for who joins."""

    def step(self, *args: Any) -> Any:
        with _off(self.gen, "reset_streaming"):
            return super().step(*args)


class UnresetMimi(BatchedModel):
    """Mimi is not."""

    def step(self, *args: Any) -> Any:
        with _off(self._mimi, "reset_streaming"):
            return super().step(*args)


class ResetOnce(BatchedModel):
    """Mimi keeps what its first frame left behind."""

    def step(self, *args: Any) -> Any:
        with _only_first(self._mimi, "reset_streaming"):
            return super().step(*args)


class Unmasked(BatchedModel):
    """Who is late is advanced in the language model all the same."""

    def step(self, *args: Any) -> Any:
        with _off(self.gen, "set_exec_mask"):
            return super().step(*args)


class UnmaskedMimi(BatchedModel):
    """And here in Mimi."""

    def step(self, *args: Any) -> Any:
        with _off(self._mimi, "set_exec_mask"):
            return super().step(*args)


class DecodedUnderTheEncodersMask(BatchedModel):
    """The decoder takes what a row has not said yet."""

    def step(self, *args: Any) -> Any:
        with _only_first(self._mimi, "set_exec_mask"):
            return super().step(*args)


class Unwiped(BatchedModel):
    """Caches are only moved to their beginning."""

    def _wipe(self, joining: Any) -> None: ...


@pytest.mark.parametrize(
    "broken", [Unreset, UnresetMimi, ResetOnce, Unmasked, UnmaskedMimi, DecodedUnderTheEncodersMask]
)
def test_without_one_of_its_resets_and_masks_the_batch_is_found_out(
    nano: Path, broken: type[BatchedModel]
) -> None:
    """What the tests above promise hangs on each of them, and the tests see it."""
    calls = churn(30)
    run(loaded(nano, rows=4, kind=broken), calls)
    model = loaded(nano, rows=1)
    assert any(not _same(call.answer, alone(model, call.audio)) for call in calls)


def test_without_wiping_a_poisoned_row_stays_poisoned(nano: Path) -> None:
    model = loaded(nano, rows=1, kind=Unwiped)
    for cache in model._caches:
        cache[:, 0] = float("nan")
    assert np.isnan(alone(model, voice(2, 5)).sound()).any()


def test_a_reset_takes_no_output_from_the_others(nano: Path) -> None:
    """As it would without the package's `support_out_of_sync`."""
    model = loaded(nano, rows=2)
    model.gen.support_out_of_sync = False
    with pytest.raises(TypeError):
        run(model, [Call(voice(1, 6), row=0, joins=0), Call(voice(2, 3), row=1, joins=3)])


def _same(one: Answer, other: Answer) -> bool:
    return (
        one.silent_steps == other.silent_steps
        and one.tokens() == other.tokens()
        and bool(np.abs(one.sound() - other.sound()).max() < 1e-5)
    )


@contextmanager
def _off(of: Any, method: str) -> Iterator[None]:
    setattr(of, method, lambda _mask: None)
    try:
        yield
    finally:
        delattr(of, method)


@contextmanager
def _only_first(of: Any, method: str) -> Iterator[None]:
    real = getattr(of, method)
    called: list[torch.Tensor] = []

    def once(mask: torch.Tensor) -> None:
        if not called:
            called.append(mask)
            real(mask)

    setattr(of, method, once)
    try:
        yield
    finally:
        delattr(of, method)
