"""What the model cache promises: the right file or none, wherever it came from."""

import hashlib
import os
import shutil
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dialtone.local.chinese import CHINESE_MODELS
from dialtone.local.plan import make_plan
from dialtone.local.ports import free_ports
from dialtone.local.settings import StackSettings
from dialtone.local.up import wanted_models
from dialtone.models import ModelMissing, default_names, locate, manifest, mirror
from dialtone.models.cache import is_verified
from dialtone.models.fetch import FetchError, WrongHash, fetch
from dialtone.models.hub import HubClient
from dialtone.models.manifest import Hub, Model, ModelFile, Tarball, Wheel
from dialtone.tts.settings import TtsSettings
from tests.local.hub_server import hub_server

PARTS = (b"first half, " * 1000, b"second half" * 1000)
WEIGHTS = b"".join(PARTS)


class Watcher:
    """Notes what a fetch says and does."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[str] = []
        self.bytes = 0

    def say(self, text: str) -> None:
        self.said.append(text)

    def start(self, _name: str, step: str, _total: int) -> None:
        self.steps.append(step)

    def advance(self, count: int) -> None:
        self.bytes += count

    def done(self, name: str) -> None:
        self.steps.append(f"done {name}")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_wheel(folder: Path, package: str, member: str, content: bytes) -> Wheel:
    """Write a wheel that holds one data file and has no code to be run."""
    info = f"{package}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    folder.mkdir(exist_ok=True)
    path = folder / f"{package}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{package}/{member}", content)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", tags)
        archive.writestr(f"{info}/RECORD", "")
    return Wheel(package, "1.0", sha256(path.read_bytes()))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index."""
    folder = tmp_path / "index"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


@pytest.fixture
def split(index: Path) -> Model:
    """A model in two wheels, on no hub."""
    mirror = tuple(make_wheel(index, f"weights_part{n}", f"part{n}", part) for n, part in enumerate(PARTS, 1))
    file = ModelFile(
        "weights.bin", len(WEIGHTS), sha256(WEIGHTS), ("weights_part1/part1", "weights_part2/part2")
    )
    return Model("split", "", "MIT", True, (file,), None, mirror)


@pytest.fixture
def unreachable() -> HubClient:
    return HubClient(f"http://127.0.0.1:{free_ports(1)[0]}")


@pytest.fixture
def hub() -> Iterator[HubClient]:
    with hub_server({"org/repo/resolve/main/sub/weights.bin": WEIGHTS}) as url:
        yield HubClient(url)


def hub_model(digest: str, mirror: tuple[Wheel | Tarball, ...] = (), members: tuple[str, ...] = ()) -> Model:
    file = ModelFile("weights.bin", len(WEIGHTS), digest, members)
    return Model("hubbed", "", "MIT", True, (file,), Hub("org/repo", "main", "sub"), mirror)


def test_the_parts_of_a_mirror_are_joined_and_verified(split: Model, tmp_path: Path) -> None:
    watcher = Watcher()
    fetch(["split"], tmp_path / "m", watcher, models={"split": split})
    assert (tmp_path / "m/split/weights.bin").read_bytes() == WEIGHTS
    assert is_verified(split, tmp_path / "m")
    assert watcher.steps == ["download", "unpack", "done split"]
    assert not (tmp_path / "m/.partial/split").exists()


def test_a_verified_model_is_neither_fetched_nor_hashed_again(split: Model, tmp_path: Path) -> None:
    fetch(["split"], tmp_path / "m", Watcher(), models={"split": split})
    watcher = Watcher()
    fetch(["split"], tmp_path / "m", watcher, models={"split": split})
    assert watcher.steps == ["done split"]
    fetch(["split"], tmp_path / "m", watcher, models={"split": split}, verify=True)
    assert watcher.steps == ["done split", "check", "done split"]


def test_a_file_that_was_changed_is_noticed_and_replaced(split: Model, tmp_path: Path) -> None:
    fetch(["split"], tmp_path / "m", Watcher(), models={"split": split})
    (tmp_path / "m/split/weights.bin").write_bytes(WEIGHTS[:-1] + b"!")
    assert not is_verified(split, tmp_path / "m")
    watcher = Watcher()
    fetch(["split"], tmp_path / "m", watcher, models={"split": split})
    assert "was removed" in watcher.said[0]
    assert (tmp_path / "m/split/weights.bin").read_bytes() == WEIGHTS


def test_joined_parts_with_a_wrong_hash_are_refused(split: Model, tmp_path: Path) -> None:
    wanted = ModelFile("weights.bin", len(WEIGHTS), "0" * 64, split.files[0].members)
    other = Model("split", "", "MIT", True, (wanted,), None, split.mirror)
    with pytest.raises(WrongHash, match=r"weights\.bin has sha256"):
        fetch(["split"], tmp_path / "m", Watcher(), models={"split": other})
    assert not list((tmp_path / "m").rglob("weights.bin*"))


def test_a_wheel_with_a_wrong_hash_is_refused(split: Model, index: Path, tmp_path: Path) -> None:
    with (index / "weights_part2-1.0-py3-none-any.whl").open("ab") as wheel:
        wheel.write(b"more")
    with pytest.raises(FetchError, match="weights_part2"):
        fetch(["split"], tmp_path / "m", Watcher(), models={"split": split})
    assert not list((tmp_path / "m").rglob("weights.bin*"))


def test_what_arrived_before_an_interruption_is_used(split: Model, index: Path, tmp_path: Path) -> None:
    missing = (index / "weights_part2-1.0-py3-none-any.whl").rename(tmp_path / "away.whl")
    with pytest.raises(FetchError):
        fetch(["split"], tmp_path / "m", Watcher(), models={"split": split})
    missing.rename(index / "weights_part2-1.0-py3-none-any.whl")
    (index / "weights_part1-1.0-py3-none-any.whl").unlink()
    fetch(["split"], tmp_path / "m", Watcher(), models={"split": split})
    assert (tmp_path / "m/split/weights.bin").read_bytes() == WEIGHTS


@contextmanager
def folders_come_and_go(parent: Path) -> Iterator[None]:
    """Make and remove folders below `parent` without a pause, as pip does with its own."""
    ended = threading.Event()

    def churn() -> None:
        while not ended.is_set():
            with suppress(FileNotFoundError):  # a fetch that is over removes all of it
                (parent / "outer" / "inner").mkdir(parents=True)
                shutil.rmtree(parent / "outer")

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_folders_that_pip_removes_while_its_progress_is_read_do_no_harm(
    split: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "_POLL_S", 0.0)
    with folders_come_and_go(tmp_path / "m/.partial/split/tmp"):
        fetch(["split"], tmp_path / "m", Watcher(), models={"split": split})
    assert (tmp_path / "m/split/weights.bin").read_bytes() == WEIGHTS


def test_an_index_that_sends_nothing_more_is_given_up(
    split: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "_STALL_S", 0.5)
    monkeypatch.delenv("PIP_NO_INDEX")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(FetchError, match="no byte came"):
            fetch(["split"], tmp_path / "m", Watcher(), models={"split": split})


def test_the_hub_is_asked_first(hub: HubClient, tmp_path: Path) -> None:
    watcher, model = Watcher(), hub_model(sha256(WEIGHTS))
    fetch(["hubbed"], tmp_path / "m", watcher, models={"hubbed": model}, hub=hub)
    assert (tmp_path / "m/hubbed/weights.bin").read_bytes() == WEIGHTS
    assert is_verified(model, tmp_path / "m")
    assert watcher.bytes >= len(WEIGHTS)


def test_a_file_of_the_hub_with_a_wrong_hash_is_refused(hub: HubClient, tmp_path: Path) -> None:
    with pytest.raises(WrongHash):
        fetch(["hubbed"], tmp_path / "m", Watcher(), models={"hubbed": hub_model("0" * 64)}, hub=hub)
    assert not list((tmp_path / "m").rglob("weights.bin"))


def test_a_hub_out_of_reach_is_said_once_and_the_mirror_used(
    unreachable: HubClient, split: Model, tmp_path: Path
) -> None:
    members = split.files[0].members
    first = hub_model(sha256(WEIGHTS), split.mirror, members)
    second = Model("second", "", "MIT", True, first.files, first.hub, first.mirror)
    watcher, models = Watcher(), {"hubbed": first, "second": second}
    fetch(models, tmp_path / "m", watcher, models=models, hub=unreachable)
    assert [line for line in watcher.said if "cannot be reached" in line] == watcher.said
    assert len(watcher.said) == 1
    assert (tmp_path / "m/second/weights.bin").read_bytes() == WEIGHTS


def test_a_hub_name_can_be_used_in_place_of_a_name(hub: HubClient, tmp_path: Path) -> None:
    name = "org/repo:sub/weights.bin"
    with pytest.raises(ModelMissing, match=r"make models NAMES=org/repo:sub/weights\.bin"):
        locate(name, tmp_path / "m")
    fetch([name], tmp_path / "m", Watcher(), models={}, hub=hub)
    assert locate(name, tmp_path / "m").read_bytes() == WEIGHTS


def test_a_path_is_located_as_it_is_and_nonsense_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "mine.gguf"
    own.touch()
    assert locate(str(own), tmp_path) == own
    with pytest.raises(ModelMissing, match="whisper-base"):
        locate("no such model", tmp_path)


def test_a_missing_model_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="make models NAMES=silero-vad"):
        locate("silero-vad", tmp_path)


def test_every_model_of_the_manifest_is_pinned() -> None:
    assert set(default_names()) <= set(manifest())
    for model in manifest().values():
        assert model.licence
        assert model.mirror
        assert all(len(wheel.sha256) == 64 for wheel in model.mirror)
        assert all(len(file.sha256) == 64 and file.size > 0 and file.members for file in model.files)


def test_a_stack_with_default_settings_fetches_the_default_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ASR_MODEL", "VAD_MODEL", "LLM_LOCAL_MODEL", "MODELS"):
        monkeypatch.delenv(name, raising=False)
    assert sorted(wanted_models(StackSettings())) == sorted(default_names())
    assert wanted_models(StackSettings(stages="simulated")) == []


def test_a_stack_for_chinese_has_a_voice_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TTS_VOICES", raising=False)
    chinese = StackSettings(language="zh-CN")
    assert sorted(wanted_models(chinese)) == sorted([*default_names(), *CHINESE_MODELS])
    assert set(CHINESE_MODELS) <= set(manifest())
    [tts] = [one for one in make_plan(chinese).workers if one.name == "tts"]
    voices = TtsSettings.model_validate({"tts_voices": tts.environment["TTS_VOICES"]}).tts_voices
    assert [line.language for line in voices.values() if not isinstance(line, tuple)] == ["en", "zh"]


def test_a_voice_of_chinese_has_both_cores_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TTS_VOICES", "TTS_THREADS", "TTS_PARALLEL"):
        monkeypatch.delenv(name, raising=False)

    def told(language: str) -> tuple[str | None, ...]:
        [tts] = [one for one in make_plan(StackSettings(language=language)).workers if one.name == "tts"]
        return tuple(tts.environment.get(name) for name in ("TTS_THREADS", "TTS_PARALLEL"))

    assert told("zh") == ("2", "1")
    assert told("en") == (None, None)
    monkeypatch.setenv("TTS_THREADS", "4")
    assert told("zh") == ("4", "1")


def test_who_names_voices_has_these_in_any_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_VOICES", "/my/voices.toml")
    assert sorted(wanted_models(StackSettings(language="zh"))) == sorted(default_names())
    [tts] = [one for one in make_plan(StackSettings(language="zh")).workers if one.name == "tts"]
    assert tts.environment["TTS_VOICES"] == "/my/voices.toml"


def test_a_model_given_by_path_is_not_fetched(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.touch()
    wanted = wanted_models(StackSettings(llm_local_model=str(own), asr_model="org/whisper"))
    assert str(own) not in wanted
    assert "org/whisper" in wanted
