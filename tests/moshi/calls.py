"""Calls through a batch: who talks when, what each was told, and the same call alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from moshi.models import LMGen
from numpy.typing import NDArray

from dialtone.llm.moshi.batched_model import BatchedModel, Sampling
from dialtone.llm.moshi.checkpoint import load_checkpoint
from dialtone.llm.moshi.engine import FRAME, SAMPLE_RATE
from dialtone.llm.moshi.engine_settings import MoshiEngineSettings

# Two that wait for each other on busy processors make a step several times slower.
torch.set_num_threads(1)

GREEDY = Sampling(temperature=0, text_temperature=0)
Frames = NDArray[np.float32]


def loaded(
    folder: Path, rows: int, dtype: torch.dtype = torch.float32, kind: type[BatchedModel] = BatchedModel
) -> BatchedModel:
    """A model of the checkpoint, greedy, warmed up as the engine's is."""
    checkpoint = load_checkpoint(MoshiEngineSettings(moshi_sft_path=folder), torch.device("cpu"), dtype)
    model = kind(checkpoint.mimi, checkpoint.lm, rows, GREEDY)
    model.warm_up()
    return model


def voice(number: int, frames: int) -> Frames:
    """`[frames, FRAME]`: a voice of its own, a gliding tone that comes and goes, over noise."""
    rng = np.random.default_rng(number)
    at = np.arange(frames * FRAME) / SAMPLE_RATE
    pitch = (110 + 37 * number) * (1 + 0.3 * np.sin(2 * np.pi * (0.5 + 0.07 * number) * at))
    tone = np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE)
    loudness = np.clip(np.sin(2 * np.pi * (0.3 + 0.05 * number) * at + number), 0, None)
    samples = 0.4 * loudness * tone + 0.03 * rng.standard_normal(len(at))
    return samples.astype(np.float32).reshape(frames, FRAME)


@dataclass(slots=True)
class Answer:
    """What a call was told, step by step, without its first step."""

    text: list[int] = field(default_factory=list)
    codes: list[list[int]] = field(default_factory=list)
    pcm: list[Frames] = field(default_factory=list)
    silent_steps: int = 0

    def tokens(self) -> list[list[int]]:
        """Text and codes of each step."""
        return [[text, *codes] for text, codes in zip(self.text, self.codes, strict=True)]

    def sound(self) -> Frames:
        """All of its audio."""
        return np.concatenate(self.pcm)


@dataclass(slots=True)
class Call:
    """A call in a batch: its audio, the row it is in, and which steps it has a frame for."""

    audio: Frames
    row: int
    joins: int
    stalls: frozenset[int] = frozenset()
    """Steps, counted from its first, for which its frame is late."""
    answer: Answer = field(default_factory=Answer)
    heard: int = 0

    def has_frame(self, step: int) -> bool:
        """Whether the step takes one of it."""
        return step >= self.joins and step - self.joins not in self.stalls and self.heard < len(self.audio)


def run(
    model: BatchedModel, calls: list[Call], after_step: Callable[[int], None] = lambda _step: None
) -> None:
    """Take steps until every call is heard to its end."""
    step = 0
    while any(call.heard < len(call.audio) for call in calls):
        pcm = np.zeros((model.rows, FRAME), dtype=np.float32)
        active = np.zeros(model.rows, dtype=np.bool_)
        joining = np.zeros(model.rows, dtype=np.bool_)
        talking = [call for call in calls if call.has_frame(step)]
        assert len({call.row for call in talking}) == len(talking), "two calls in a row"
        for call in talking:
            pcm[call.row] = call.audio[call.heard]
            active[call.row] = True
            joining[call.row] = call.heard == 0
            call.heard += 1
        output = model.step(pcm, active, joining)
        for call in talking:
            if not output.ready[call.row]:
                call.answer.silent_steps += 1
                continue
            call.answer.text.append(int(output.text[call.row]))
            call.answer.codes.append([int(code) for code in output.codes[call.row]])
            call.answer.pcm.append(output.pcm[call.row].copy())
        after_step(step)
        step += 1


def alone(model: BatchedModel, audio: Frames, row: int = 0) -> Answer:
    """The same call with nobody else in the batch."""
    call = Call(audio, row, joins=0)
    run(model, [call])
    return call.answer


def served_singly(folder: Path, audios: list[Frames]) -> list[Answer]:
    """The same one after the other in a batch of one, as the package's own server does it: without masks, and
    without what a row needs that is not alone (github.com/kyutai-labs/moshi, moshi/server.py)."""
    checkpoint = load_checkpoint(
        MoshiEngineSettings(moshi_sft_path=folder), torch.device("cpu"), torch.float32
    )
    mimi, gen = checkpoint.mimi, LMGen(checkpoint.lm, use_sampling=False)
    answers = []
    with torch.no_grad(), mimi.streaming(1), gen.streaming(1):
        for audio in audios:
            mimi.reset_streaming()
            gen.reset_streaming()
            answers.append(answer := Answer())
            for number, frame in enumerate(audio):
                codes = mimi.encode(torch.from_numpy(frame)[None, None])
                if number == 0:
                    mimi.reset_streaming()
                tokens = gen.step(codes)
                if tokens is None:
                    answer.silent_steps += 1
                    continue
                answer.text.append(int(tokens[0, 0, 0]))
                answer.codes.append(tokens[0, 1:, 0].tolist())
                answer.pcm.append(mimi.decode(tokens[:, 1:])[0, 0].numpy().copy())
    return answers


def churn(frames: int) -> list[Call]:
    """Seven calls in four rows: rows are taken over at once and after a pause, calls stall for one step and
    for many, in their first steps too. Every row is taken at some time, and all four at once."""
    short = frames // 3
    return [
        Call(voice(1, frames), row=0, joins=0, stalls=frozenset({7, 8, 9, 30})),
        Call(voice(2, short), row=1, joins=0, stalls=frozenset({1})),
        Call(voice(3, frames), row=2, joins=3, stalls=frozenset(range(20, 34))),
        Call(voice(4, frames), row=1, joins=short + 1, stalls=frozenset({2, 5})),
        Call(voice(5, short), row=3, joins=6),
        Call(voice(6, short), row=3, joins=6 + short + 4, stalls=frozenset({0, 11})),
        Call(voice(7, frames), row=0, joins=frames + 4),
    ]
