"""Instructions that nobody chose are told in the user's language."""

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.instructions import GO_AHEAD
from dialtone.gateway.core.items import MessageItem, OutputText
from dialtone.gateway.core.session import Audio, AudioInput, SessionConfig
from dialtone.gateway.settings import DEFAULT_INSTRUCTIONS, DEFAULT_INSTRUCTIONS_ZH, GatewaySettings

from .asking import create, prompt, user, worker_of
from .harness import Rig

OWN = "Be a friend."
CHINESE = "做个朋友。"
LIMITS = Limits(instructions=OWN, instructions_zh=CHINESE)
SILENT = Audio(input=AudioInput(turn_detection=None))


def told(*said: str, instructions: str = OWN, limits: Limits = LIMITS) -> str:
    """What the model is told by the system where the user has said that."""
    rig = Rig(SessionConfig(instructions=instructions, audio=SILENT), limits=limits)
    for number, text in enumerate(said):
        rig.feed(ask.CreateItem(item=user(text, f"item_{number}")))
    create(rig)
    return "".join(text for role, text in prompt(rig) if role == "system")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["法国的首都是哪里？"], CHINESE),
        (["What is the capital of France?"], OWN),
        (["我想买一个 iPhone 15，多少钱？"], CHINESE),
        (["What does 你好 mean?"], OWN),
        (["Hello.", "你好。"], CHINESE),
        (["你好。", "And in English?"], OWN),
        (["你好。", "1234567890"], CHINESE),
        (["1234567890"], OWN),
        (["フランスの首都はどこですか"], OWN),
        ([], OWN),
    ],
    ids=str,
)
def test_a_user_who_speaks_chinese_has_a_model_that_is_told_so_in_chinese(
    said: list[str], expected: str
) -> None:
    assert told(*said) == expected


def test_instructions_of_a_client_are_told_as_they_are() -> None:
    assert told("你好。", instructions="Translate into English.") == "Translate into English."
    assert told("你好。", instructions="") == ""


def test_an_operator_may_have_one_text_for_all() -> None:
    assert told("你好。", limits=Limits(instructions=OWN)) == OWN


def test_our_chinese_text_stands_in_for_our_english_one_alone() -> None:
    assert GatewaySettings().default_instructions == DEFAULT_INSTRUCTIONS
    assert GatewaySettings().chinese_instructions == DEFAULT_INSTRUCTIONS_ZH
    assert GatewaySettings(default_instructions="Be curt.").chinese_instructions == ""
    assert GatewaySettings(default_instructions_zh="").chinese_instructions == ""
    theirs = GatewaySettings(default_instructions="Be curt.", default_instructions_zh="简短些。")
    assert theirs.chinese_instructions == "简短些。"


def test_what_a_model_is_told_in_the_users_place_is_in_nobodys_language() -> None:
    rig = Rig(SessionConfig(instructions=OWN, audio=SILENT), limits=LIMITS)
    rig.feed(ask.CreateItem(item=user("给我讲个故事。", "item")))
    rig.feed(ask.CreateItem(item=MessageItem("told", "assistant", [OutputText("从前有座山。")])))
    llm = worker_of(rig, create(rig))
    assert prompt(rig)[0] == ("system", CHINESE)
    assert prompt(rig)[-1] == ("user", GO_AHEAD)
    llm.text("12。")
    llm.done()
    assert rig.work("tts")[0].sentence.voice.language == "zh"


def test_of_a_long_text_the_end_tells_the_language() -> None:
    assert told("word " * 100_000 + "你好。" * 400) == CHINESE


@pytest.mark.parametrize(
    ("said", "language"), [("七加五等于多少？", "zh"), ("How much is seven plus five?", "")], ids=["zh", "en"]
)
def test_a_number_alone_is_said_in_the_language_of_who_asked(said: str, language: str) -> None:
    rig = Rig(SessionConfig(instructions=OWN, audio=SILENT), limits=LIMITS)
    rig.feed(ask.CreateItem(item=user(said, "item")))
    llm = worker_of(rig, create(rig))
    llm.text("12。")
    llm.done()
    assert rig.work("tts")[0].sentence.voice.language == language


def test_a_number_is_said_so_also_where_it_was_guessed_that_the_user_is_done() -> None:
    rig = Rig(SessionConfig(instructions=OWN), limits=LIMITS)
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    ears.candidate(1, "七加五等于多少？")
    llm = rig.take("llm")
    llm.text("12。 ")
    ears.stopped(1, 900)
    ears.final(1, "七加五等于多少？")
    llm.text("14。 ")
    llm.done()
    assert [work.sentence.voice.language for work in rig.work("tts")] == ["zh", "zh"]
