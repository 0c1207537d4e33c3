"""The operator's instructions in the language of the user.

A session's own instructions are the client's, and said as they are. Those that nobody chose are said to the
model in the user's language: a model of half a billion parameters answered 4 of 12 Chinese utterances in
English when it was told in English to answer in the user's language, and none when it was told in Chinese;
told in both, it answered 2 of 8 English ones in Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dialtone.v1.turn_pb2 import Message

from .context import Limits

CHINESE = "zh"
GO_AHEAD = "Please go ahead."
"""What a model is told in the user's place; nobody has said it."""
_LATEST = 1000  # characters: what is pasted into a conversation may have millions
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3041-\u309f\u30a1-\u30fa]")  # Japanese is written with Han characters, too
_WORD = re.compile(r"[^\W\d_\u3400-\u4dbf\u4e00-\u9fff]+")


def instructions_for(instructions: str, messages: Iterable[Message], limits: Limits) -> str:
    """What the model is told to be, of those messages' user."""
    if not limits.instructions_zh or instructions != limits.instructions:
        return instructions
    return limits.instructions_zh if language_of_user(messages) == CHINESE else instructions


def language_of_user(messages: Iterable[Message]) -> str:
    """`zh` for a user whose latest words are Chinese, else nothing: it is told by the script.

    What has no words, such as a number, is in the language of what was said before.
    """
    for message in reversed(list(messages)):
        if message.role != Message.ROLE_USER or message.text == GO_AHEAD:
            continue
        latest = message.text[-_LATEST:]
        characters, words = len(_HAN.findall(latest)), len(_WORD.findall(latest))
        if characters or words:
            return CHINESE if characters > words and not _KANA.search(latest) else ""
    return ""
