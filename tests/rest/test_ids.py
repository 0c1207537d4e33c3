"""Ids that are made here, and those that clients give."""

from __future__ import annotations

import re

import pytest

from dialtone.gateway.ids import is_client_id, new_id


def test_new_ids_differ_and_may_stand_anywhere() -> None:
    made = {new_id("item") for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"item_[A-Za-z0-9]{22}", one) and is_client_id(one) for one in made)


@pytest.mark.parametrize("value", ["28445e6d-e8c1-46a6-b980-fbf39b918def", "sess_1", "x" * 64])
def test_an_id_of_a_client_may_be_a_uuid_or_the_like(value: str) -> None:
    assert is_client_id(value)


@pytest.mark.parametrize("value", ["", "x" * 65, "a.b", "a b", "a*", ">", "a:b", "a\n", "默认", "a\x00"])
def test_what_would_mean_something_in_a_key_or_subject_is_no_id(value: str) -> None:
    assert not is_client_id(value)
