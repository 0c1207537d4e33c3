"""A model that takes and gives what Kokoro's does: a tone, as long as there are symbols."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save_model

SYMBOL = 1_200
"""Samples of a symbol at speed 1."""


def write_model(path: Path, *, tokens: str = "tokens", work: int = 0) -> Path:
    """Write it; `work` multiplications of 1000 x 1000 numbers come first, some 20 ms each."""

    def constant(name: str, value: np.generic | NDArray[np.float32]) -> TensorProto:
        return numpy_helper.from_array(np.array(value), name)

    constants = [
        constant("symbol", np.float32(SYMBOL)),
        constant("one", np.int64(1)),
        constant("level", np.float32(0.25)),
        constant("none", np.float32(0)),
        constant("square", np.zeros((1000, 1000), dtype=np.float32)),
    ]
    nodes = [
        helper.make_node("Shape", [tokens], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["count"]),
        helper.make_node("Cast", ["count"], ["symbols"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["symbols", "symbol"], ["slow"]),
        helper.make_node("Div", ["slow", "speed"], ["length"]),
        helper.make_node("Cast", ["length"], ["samples"], to=TensorProto.INT64),
        helper.make_node("Expand", ["level", "samples"], ["tone"]),
        helper.make_node("ReduceSum", ["style"], ["styled"], keepdims=0),
        helper.make_node("Mul", ["tone", "styled"], ["loud"]),
    ]
    nodes.append(helper.make_node("Add", ["square", "speed"], ["busy"]))  # else it is computed once for all
    last = "busy"
    for step in range(work):
        nodes.append(helper.make_node("MatMul", [last, "square"], [f"square{step}"]))
        last = f"square{step}"
    nodes += [
        helper.make_node("Mul", [last, "none"], ["silent"]),
        helper.make_node("ReduceSum", ["silent"], ["nothing"], keepdims=0),
        helper.make_node("Add", ["loud", "nothing"], ["audio"]),
    ]
    inputs = [
        helper.make_tensor_value_info(tokens, TensorProto.INT64, [1, None]),
        helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
        helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
    ]
    audio = helper.make_tensor_value_info("audio", TensorProto.FLOAT, [None])
    graph = helper.make_graph(nodes, "stand-in", inputs, [audio], constants)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def write_voices(folder: Path, *names: str) -> Path:
    """Write voices whose styles add up to 1, in a folder of their own."""
    folder.mkdir()
    style = np.zeros((510, 256), dtype="<f4")
    style[:, 0] = 1.0
    for name in names:
        (folder / f"{name}.bin").write_bytes(style.tobytes())
    return folder
