"""What nobody can have said is no answer of a recogniser, whatever its server answers."""

from __future__ import annotations

import re
from dataclasses import replace

from dialtone.vad_asr.asr.recognition import Passage, Recognition
from dialtone.vendors.failures import UpstreamFailure

_LANGUAGE = re.compile("[a-z]{2,3}")
_CHARACTERS_PER_SECOND = 100  # four times as fast as anybody speaks
_CHARACTERS_AT_LEAST = 1_000


def plausible(heard: Recognition, passage: Passage) -> Recognition:
    """The answer about this passage as it can be sent on: a language that is no ISO 639 code counts as not
    known. Raises UpstreamFailure for text that is none, or far more than fits into the passage."""
    if len(heard.text) > _CHARACTERS_AT_LEAST + _CHARACTERS_PER_SECOND * passage.seconds:
        raise UpstreamFailure("bad_upstream", "answered more than can be said in that time: text")
    language = heard.language
    if language != passage.language and not _LANGUAGE.fullmatch(language):
        language = passage.language
    return replace(heard, text=heard.text.replace("\0", ""), language=language)
