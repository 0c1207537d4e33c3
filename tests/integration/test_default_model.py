"""The default models, asked in writing. Spoken questions are tests/conformance's."""

from typing import Literal

import pytest

from dialtone.local.state import StackState

from .caller import RATE, Caller, calling

pytestmark = pytest.mark.models


async def ask(caller: Caller, text: str, modality: Literal["text", "audio"]) -> None:
    await caller.connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    )
    await caller.connection.response.create(response={"output_modalities": [modality]})
    await caller.until("response.done")


async def test_a_written_question_is_answered_aloud(real_stack: StackState) -> None:
    async with calling(real_stack.url) as caller:
        await ask(caller, "How much is 7 plus 5? Answer with the number.", "audio")
    assert "12" in caller.of("response.output_audio_transcript.done")[0].transcript
    assert len(caller.audio()) > RATE / 2


async def test_chinese_is_understood(real_stack: StackState) -> None:
    async with calling(real_stack.url) as caller:
        await ask(caller, "法国的首都是哪里？请用中文回答。", "text")
    assert "巴黎" in caller.of("response.output_text.done")[0].text
