"""Whisper on short windows.

faster-whisper pads every utterance to 30 s. CTranslate2 takes any length: a window of the utterance
plus two seconds costs 4 to 7 times less on a CPU. See `decoding` for what goes wrong and how it is mended.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2 import StorageView, get_cuda_device_count
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

from dialtone.audio import Float32, pcm16_to_float
from dialtone.vad_asr.asr.decoding import (
    LOOPING_COMPRESSION,
    compression_ratio,
    phrases,
    spoken_text,
    spoken_until,
)
from dialtone.vad_asr.asr.hallucination import MIN_VOICED_US, Confidence, is_invented
from dialtone.vad_asr.asr.languages import whisper_code
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, Passage, Recognition

# With one second behind it, the last word is misheard more often ("the capital of friends").
_TAIL_SECONDS = 2.0
_MIN_WINDOW_SECONDS = 4.0
# A language that has less than this of the probability of all that may be is looked at once more, in a
# longer window: on cut sentences the short one errs where it is unsure.
_SURE_OF_LANGUAGE = 0.8
_LANGUAGE_WINDOW_SECONDS = 15.0
_HOP = 160
# Nobody speaks faster; bounds the time that a window takes when the model does not stop.
_TOKENS_PER_SECOND = 10
_TOKENS_AT_LEAST = 16
_PROMPT_TOKENS = 200

# Whisper writes Chinese in either script: a line in the simplified one, with punctuation, sets it.
_CHINESE_PROMPT = "以下是普通话的句子。"


class ShortWindowWhisper:
    """One loaded model, shared by all calls of the process and safe to use from several threads.

    `languages` are the ISO 639-1 codes that detection chooses from; empty: all that the model knows.
    `device` is cpu, cuda or auto; `compute_type` CTranslate2's, default: the 8 bit one of the device.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        languages: Sequence[str],
        device: str = "auto",
        compute_type: str = "default",
        threads: int = 1,
        workers: int = 1,
        beam_size: int = 2,
    ) -> None:
        if device == "auto":
            device = "cuda" if get_cuda_device_count() else "cpu"
        if compute_type == "default":
            compute_type = "int8_float16" if device == "cuda" else "int8"
        self._whisper = WhisperModel(
            str(model_path),
            device=device,
            compute_type=compute_type,
            cpu_threads=threads,
            num_workers=workers,
            local_files_only=True,
        )
        self._beam_size = beam_size
        self._model: Any = self._whisper.model
        self.device: str = self._model.device
        self._multilingual: bool = self._model.is_multilingual
        self.languages: frozenset[str] = frozenset(self._whisper.supported_languages)
        self._candidates = [code for code in languages if code in self.languages] or sorted(self.languages)
        self._tokenizer = lru_cache(maxsize=128)(self._new_tokenizer)

    def recognize(self, passages: Sequence[Passage]) -> list[Recognition]:
        """Recognises the passages in one batch, padded to the longest of them."""
        begun = time.perf_counter()
        answers: dict[int, tuple[str, str, float | None]] = {}
        asked = [at for at, passage in enumerate(passages) if passage.voiced_us >= MIN_VOICED_US]
        for at in set(range(len(passages))) - set(asked):
            answers[at] = ("", self._normal(passages[at].language), None)
        if asked:
            chosen = [passages[at] for at in asked]
            answers.update(zip(asked, self._transcribe(chosen), strict=True))
        compute_us = round((time.perf_counter() - begun) * 1e6)
        return [
            Recognition(text, language, compute_us, until)
            for text, language, until in (answers[at] for at in range(len(passages)))
        ]

    def _transcribe(self, passages: Sequence[Passage]) -> list[tuple[str, str, float | None]]:
        encoded = self._model.encode(self._features(passages), to_cpu=len(passages) > 1)
        languages = self._languages(passages, encoded)
        prompts = [self._prompt(p, language) for p, language in zip(passages, languages, strict=True)]
        results = self._generate(encoded, prompts, max(passage.seconds for passage in passages))
        texts = [self._text(*each) for each in zip(passages, languages, results, strict=True)]
        return [(text, code, until) for (text, until), code in zip(texts, languages, strict=True)]

    def _features(self, passages: Sequence[Passage], at_least: float = _MIN_WINDOW_SECONDS) -> StorageView:
        seconds = max(passage.seconds for passage in passages)
        window = max(seconds + _TAIL_SECONDS, at_least)
        count = int(window * SAMPLE_RATE) // _HOP * _HOP
        mels: list[Float32] = []
        for passage in passages:
            samples = np.zeros(count, dtype=np.float32)
            samples[: len(passage.samples)] = pcm16_to_float(passage.samples)
            mels.append(self._whisper.feature_extractor(samples, padding=0))
        return StorageView.from_array(np.ascontiguousarray(np.stack(mels), dtype=np.float32))

    def _languages(self, passages: Sequence[Passage], encoded: StorageView) -> list[str]:
        if not self._multilingual:
            return ["en"] * len(passages)
        given = [self._normal(passage.language) for passage in passages]
        if all(given):
            return given
        detected = self._model.detect_language(encoded)
        return [
            code or self._detected(passage, scores)
            for code, passage, scores in zip(given, passages, detected, strict=True)
        ]

    def _detected(self, passage: Passage, scores: Iterable[tuple[str, float]]) -> str:
        code, share = self._likeliest(scores)
        if share < _SURE_OF_LANGUAGE and passage.seconds + _TAIL_SECONDS < _LANGUAGE_WINDOW_SECONDS:
            longer = self._model.encode(self._features([passage], _LANGUAGE_WINDOW_SECONDS), to_cpu=False)
            code, _ = self._likeliest(self._model.detect_language(longer)[0])
        return code

    def _likeliest(self, scores: Iterable[tuple[str, float]]) -> tuple[str, float]:
        """The likeliest language that may be, and its share of the probability of all that may."""
        by_code = {token[2:-2]: score for token, score in scores}
        likely = {code: by_code.get(code, 0.0) for code in self._candidates}
        best = max(likely, key=likely.__getitem__)
        return best, likely[best] / max(sum(likely.values()), 1e-9)

    def _normal(self, language: str) -> str:
        code = whisper_code(language)  # "zh-CN" means Chinese
        return code if code in self.languages else ""

    def _new_tokenizer(self, language: str) -> Tokenizer:
        return Tokenizer(self._whisper.hf_tokenizer, self._multilingual, task="transcribe", language=language)

    def _prompt(self, passage: Passage, language: str) -> list[int]:
        tokenizer = self._tokenizer(language)
        context = passage.prompt.strip() or (_CHINESE_PROMPT if language == "zh" else "")
        prompt: list[int] = []
        if context:
            prompt = [tokenizer.sot_prev, *tokenizer.encode(" " + context)[-_PROMPT_TOKENS:]]
        return prompt + list(tokenizer.sot_sequence)

    def _generate(self, encoded: StorageView, prompts: list[list[int]], seconds: float) -> list[Any]:
        """Decodes in one go what has prompts of one length: CTranslate2 asks for that."""
        groups: dict[int, list[int]] = {}
        for at, prompt in enumerate(prompts):
            groups.setdefault(len(prompt), []).append(at)
        if len(groups) == 1:
            return self._generate_group(encoded, prompts, seconds)
        rows = np.array(encoded)
        results: dict[int, Any] = {}
        for members in groups.values():
            chosen = StorageView.from_array(np.ascontiguousarray(rows[members]))
            decoded = self._generate_group(chosen, [prompts[at] for at in members], seconds)
            results.update(zip(members, decoded, strict=True))
        return [results[at] for at in range(len(prompts))]

    def _generate_group(self, encoded: StorageView, prompts: list[list[int]], seconds: float) -> list[Any]:
        limit = _TOKENS_AT_LEAST + int(seconds * _TOKENS_PER_SECOND)
        results: list[Any] = self._model.generate(
            encoded,
            prompts,
            beam_size=self._beam_size,
            max_length=min(len(prompts[0]) + limit, self._whisper.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=list(get_suppressed_tokens(self._tokenizer("en"), [-1])),
            max_initial_timestamp_index=50,
        )
        return results

    def _text(self, passage: Passage, language: str, result: Any) -> tuple[str, float | None]:
        """The words, and where the model stopped if that was too early."""
        tokenizer = self._tokenizer(language)
        tokens: list[int] = result.sequences_ids[0]
        spoken = list(phrases(tokens, timestamp_begin=tokenizer.timestamp_begin, end_of_text=tokenizer.eot))
        text = spoken_text(spoken, passage.seconds, tokenizer.decode)
        confidence = Confidence(
            result.no_speech_prob,
            result.scores[0] * len(tokens) / (len(tokens) + 1),
            looped=compression_ratio(tokenizer.decode(tokens)) > LOOPING_COMPRESSION,
        )
        if is_invented(text, confidence, passage.voiced_us):
            return "", None
        return text, spoken_until(spoken, passage.seconds)
