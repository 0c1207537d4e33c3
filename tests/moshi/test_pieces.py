"""The text stream of a call, piece by piece."""

import io

import pytest
import sentencepiece

from dialtone.llm.moshi.pieces import TextStream


@pytest.fixture(scope="module")
def pieces() -> sentencepiece.SentencePieceProcessor:
    """With bytes for what it has no piece for."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat sat on the mat", "a cat and a mat"]),
        model_writer=written,
        vocab_size=280,
        byte_fallback=True,
        pad_id=3,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())


def test_words_come_with_their_spaces(pieces: sentencepiece.SentencePieceProcessor) -> None:
    stream = TextStream(pieces)
    assert "".join(map(stream.feed, pieces.encode("the cat sat"))) == " the cat sat"


def test_a_letter_of_several_bytes_comes_whole(pieces: sentencepiece.SentencePieceProcessor) -> None:
    stream = TextStream(pieces)
    said = [stream.feed(token) for token in pieces.encode("the 猫")]
    assert "".join(said) == " the 猫"
    assert "�" not in "".join(said)


def test_a_letter_that_is_broken_off_is_shown_as_such(pieces: sentencepiece.SentencePieceProcessor) -> None:
    stream = TextStream(pieces)
    begun = next(token for token in pieces.encode("猫") if pieces.is_byte(token))
    assert stream.feed(begun) == ""
    assert stream.feed(pieces.encode("the")[0]).startswith("�")


def test_control_tokens_are_no_text(pieces: sentencepiece.SentencePieceProcessor) -> None:
    stream = TextStream(pieces)
    assert [stream.feed(token) for token in (pieces.bos_id(), pieces.eos_id(), pieces.unk_id())] == [
        "",
        "",
        "",
    ]
