"""Recordings on disk: whole and private, bounded, and never a burden to the call."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dialtone.gateway.core.recording import Beginning, Cut, Frame, read_frames
from dialtone.gateway.runtime import call_files
from dialtone.gateway.runtime.call_files import CallFile, CallFiles
from tests.core.harness import Rig
from tests.fixtures.waiting import eventually


def recorded(lines: int = 40) -> list[bytes]:
    rig = Rig()
    rig.speak(lines * 20)
    return rig.recording


def frames(path: Path) -> list[Frame]:
    with path.open("rb") as file:
        return list(read_frames(file))


async def test_all_lines_reach_the_disk_in_their_order(tmp_path: Path) -> None:
    lines = recorded()
    file = CallFile(tmp_path / "call.jsonl", 2**20)
    for line in lines:
        file.write(line)
    await file.close()
    assert file.path.read_bytes() == b"".join(lines)


async def test_what_was_written_is_on_the_disk_while_the_call_goes_on(tmp_path: Path) -> None:
    file = CallFile(tmp_path / "call.jsonl", 2**20)
    file.write(recorded()[0])

    async def written() -> bool:
        return file.path.stat().st_size > 0

    await eventually(written)
    assert isinstance(frames(file.path)[0], Beginning)
    await file.close()


async def test_a_file_ends_at_its_bound_and_says_so(tmp_path: Path) -> None:
    lines = recorded()
    file = CallFile(tmp_path / "call.jsonl", sum(map(len, lines[:10])))
    for line in lines:
        file.write(line)
    await file.close()
    assert frames(file.path)[10:] == [Cut("the file has reached its bound")]


async def test_a_disk_that_takes_nothing_ends_the_recording_and_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = recorded()
    monkeypatch.setattr(call_files, "WAITING_BYTES", sum(map(len, lines[:5])))
    file = CallFile(tmp_path / "call.jsonl", 2**20)
    for line in lines:
        file.write(line)
    await file.close()
    assert frames(file.path)[5:] == [Cut("the disk is too slow")]


async def test_a_full_disk_ends_the_recording_and_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_files, "PAUSE_S", 0.01)
    file = CallFile(tmp_path / "call.jsonl", 2**20)

    def full(_data: bytes) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(file, "_append", full)
    file.write(recorded()[0])

    async def noticed() -> bool:
        return file._over

    await eventually(noticed)
    file.write(recorded()[1])
    await file.close()
    assert file.path.read_bytes() == b""


async def test_recordings_are_for_the_eyes_of_this_user_alone(tmp_path: Path) -> None:
    files = CallFiles(tmp_path / "calls", 2**20)
    file = files.begin("call_1")
    assert file is not None
    await file.close()
    assert file.path.name.endswith("-call_1.jsonl")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "calls").write_text("a file")
    with pytest.raises(OSError, match="calls"):
        CallFiles(tmp_path / "calls", 2**20)


async def test_a_call_whose_file_cannot_be_made_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = CallFiles(tmp_path, 2**20)

    def refused(*_: object) -> int:
        raise OSError("no more files")

    monkeypatch.setattr(os, "open", refused)
    assert files.begin("call_1") is None
