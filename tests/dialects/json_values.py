"""Arbitrary JSON for properties: any shape, with the protocol's own words in it to get deeper."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def _words(text: str) -> list[str]:
    return text.split()


WORDS = _words(
    "type session audio input output format rate voice speed tools tool_choice turn_detection "
    "transcription noise_reduction threshold silence_duration_ms item content role text transcript "
    "event_id item_id previous_item_id audio_end_ms content_index response metadata name call_id "
    "arguments parameters dialtone meta_info session_id encoding is_close output_modalities "
    "max_output_tokens instructions truncation prompt include tracing image_url id eagerness language "
    "model conversation retention_ratio speaker_id container"
)
VALUES = _words(
    "realtime transcription server_vad semantic_vad audio/pcm audio/pcmu inf auto none function message "
    "function_call function_call_output item_reference user assistant system input_text input_audio "
    "input_image output_text raw wav AAAA A near_field data:image/png;base64, retention_ratio "
    "session.update input_audio_buffer.append input_audio_buffer.commit conversation.item.create "
    "conversation.item.truncate response.create response.cancel"
)

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, -1, 24000, 16000, 4096, 2**63, 2**64, 10**30]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(VALUES),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8),
)
KEYS = st.one_of(
    st.sampled_from(WORDS), st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=4)
)


def _deeper(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(children, max_size=4) | st.dictionaries(KEYS, children, max_size=6)


JSON = st.recursive(LEAVES, _deeper, max_leaves=20)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=6)
