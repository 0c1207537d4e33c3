"""Kokoro's models, as they live in a process of their own: the steps of a sentence, each without a memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime

from dialtone.audio import Float32
from dialtone.tts.engines.kokoro.alphabet import NUMBERS
from dialtone.tts.engines.kokoro.entry import STYLE, KokoroFiles
from dialtone.tts.engines.kokoro.phonemes import symbols
from dialtone.tts.engines.kokoro.phrases import phrases

SAMPLE_RATE = 24_000
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_OUTSIDE = 0  # stands before and after the symbols


class NotKokoro(ValueError):
    """A file is no Kokoro model, or cannot be run here; the message names the field."""


@dataclass(frozen=True, slots=True)
class _Model:
    session: onnxruntime.InferenceSession
    symbols: str  # name of the input; exports differ
    speed: type[np.generic]


class KokoroModels:
    """The loaded voices by name. All methods block; they may be called from several threads at once."""

    def __init__(self, files: Mapping[str, KokoroFiles], threads: int) -> None:
        self._files = files
        models = {
            (one.model, one.device): _load(name, one, threads) for name, one in reversed(list(files.items()))
        }
        self._models = {name: models[one.model, one.device] for name, one in files.items()}

    def phrases(self, voice: str, text: str) -> list[str]:
        """Return a sentence in the model's symbols, by what is computed at once."""
        return list(phrases(symbols(text, self._files[voice].accent)))

    def speak(self, voice: str, phrase: str, speed: float) -> Float32:
        """Return the samples of a phrase, float32 [n], the silence around it included."""
        model, style = self._models[voice], self._files[voice].style
        row = min(len(phrase), len(style)) - 1
        numbers = [_OUTSIDE, *(NUMBERS[symbol] for symbol in phrase), _OUTSIDE]
        inputs = {
            model.symbols: np.array([numbers], dtype=np.int64),
            "style": style[row : row + 1],
            "speed": np.array([speed], dtype=model.speed),
        }
        samples: Float32 = model.session.run(None, inputs)[0].reshape(-1)
        return samples


def _load(name: str, files: KokoroFiles, threads: int) -> _Model:
    where = f"tts_voices.{name}"
    provider = _PROVIDERS[files.device]
    if provider not in onnxruntime.get_available_providers():
        raise NotKokoro(f"{where}.device (kokoro): this onnxruntime cannot use {files.device}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Waiting threads that spin would take the cores from the models beside this one.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(files.model), options, providers=[provider])
    except Exception as error:  # each kind of unreadable file is an exception of its own, of a private module
        raise NotKokoro(f"{where}.model (kokoro): {files.model} cannot be loaded ({error})") from error
    inputs = {one.name: one for one in session.get_inputs()}
    taken = next((given for given in ("tokens", "input_ids") if given in inputs), "")
    if not taken or not {"style", "speed"} <= set(inputs) or inputs["style"].shape[-1] != STYLE:
        raise NotKokoro(
            f"{where}.model (kokoro): {files.model} is another model: it takes {', '.join(inputs)}"
        )
    return _Model(session, taken, np.int32 if inputs["speed"].type == "tensor(int32)" else np.float32)
