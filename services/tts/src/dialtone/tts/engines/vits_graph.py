"""Cuts a VITS model in two, so that audio comes out while the sentence is still being computed.

VITS computes the durations and the latent frames of a whole sentence first (the encoder: about a quarter of
the work) and turns frames into samples by convolutions alone (the decoder: the rest). A convolution reaches
only so far, so the decoder run over a window of frames gives the same samples as over all of them, once the
window has that reach as context on either side. The first window is small: first audio costs the encoder and
a few frames, however long the sentence is.

The durations are drawn at random. Here that noise is an input, so that an attempt that takes over in the
middle of a sentence can draw the same durations and continue in the right place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

_DECODER = "/dec/"
_FIRST_CONVOLUTION = "/dec/conv_pre/Conv"
_DURATION_NOISE = "/dp/RandomNormalLike"


class NotDivisible(ValueError):
    """The model's graph is not laid out as a VITS exported with named modules."""


@dataclass(frozen=True, slots=True)
class VitsHalves:
    """Two serialised models and how they fit together."""

    encoder: bytes
    decoder: bytes
    latent: str  # name of the latent frames, float32 [1, channels, frames]; the first output of the encoder
    conditions: tuple[str, ...]  # further outputs of the encoder that the decoder takes whole (the speaker)
    duration_noise: (
        str  # input of the encoder, float32 [1, 2, phonemes]; empty where durations are not random
    )


def divide(path: Path) -> VitsHalves:
    """Read a Piper model and cut it before its decoder (blocking). Raises NotDivisible."""
    model = onnx.load(str(path))
    graph = model.graph
    decoder = [node for node in graph.node if node.name.startswith(_DECODER)]
    entry = next((node for node in decoder if node.name == _FIRST_CONVOLUTION), None)
    if entry is None:
        raise NotDivisible(f"{path.name} has no node {_FIRST_CONVOLUTION}")
    latent = entry.input[0]
    rest = [node for node in graph.node if not node.name.startswith(_DECODER)]
    conditions = _conditions(decoder, rest, latent)
    noise = next((node for node in rest if node.name == _DURATION_NOISE), None)

    encoder_inputs = list(graph.input)
    if noise is not None:
        rest.remove(noise)
        encoder_inputs.append(_tensor(noise.output[0], [1, 2, None]))
    crossing = [_tensor(name, None) for name in (latent, *conditions)]
    samples = _tensor(decoder[-1].output[0], None)
    return VitsHalves(
        encoder=_part(model, _needed(rest, {latent, *conditions}), encoder_inputs, crossing),
        decoder=_part(model, decoder, crossing, [samples]),
        latent=latent,
        conditions=conditions,
        duration_noise=noise.output[0] if noise is not None else "",
    )


def _conditions(decoder: list[NodeProto], rest: list[NodeProto], latent: str) -> tuple[str, ...]:
    computed = {output for node in rest for output in node.output}
    taken = {name for node in decoder for name in node.input}
    return tuple(sorted((taken & computed) - {latent}))


def _needed(nodes: list[NodeProto], outputs: set[str]) -> list[NodeProto]:
    """Of nodes in topological order, those that the outputs depend on."""
    wanted = set(outputs)
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]


def _tensor(name: str, shape: list[int | None] | None) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _part(
    model: ModelProto, nodes: list[NodeProto], inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]
) -> bytes:
    taken = {name for node in nodes for name in node.input}
    weights = [weight for weight in model.graph.initializer if weight.name in taken]
    graph = helper.make_graph(nodes, model.graph.name, inputs, outputs, weights)
    part = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return part.SerializeToString()
