"""Looks at a parsed network: is every attention fused, every product in its precision, no cast for nothing?

An engine's inspector would say what was really fused, and needs a GPU; the network needs none.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from vidrt_engines.names import Precision

from vidrt_export.tensorrt.job import Audit, Expected

_SHOWN = 3


def audit(network: Any, trt: Any, expected: Expected) -> Audit:
    """Counts what matters in a network and compares it with what the recipe lets expect.

    Args:
        network: an `INetworkDefinition` as the parser made it.
        trt: the flavour's module.
        expected: what the exporter put into the graph.
    """
    layers = list(_layers(network))
    attentions = [layer for layer in layers if layer.type == trt.LayerType.ATTENTION_INPUT]
    heavy = [layer for layer in layers if layer.type in _heavy_kinds(trt)]
    constants = {layer.get_output(0).name for layer in layers if layer.type == trt.LayerType.CONSTANT}
    casts = [
        layer
        for layer in layers
        if layer.type == trt.LayerType.CAST
        and _is_between_floats(layer, trt)
        and layer.get_input(0).name not in constants  # of a weight: the builder does it once
    ]
    problems = (
        *_attention_problems(len(attentions), expected),
        *_precision_problems(heavy, expected, trt),
        *_cast_problems(casts, _readers(layers), trt),
    )
    return Audit(attentions=len(attentions), casts=len(casts), heavy=len(heavy), problems=problems)


def _layers(network: Any) -> Iterator[Any]:
    return (network.get_layer(number) for number in range(network.num_layers))


def _heavy_kinds(trt: Any) -> set[Any]:
    kinds = trt.LayerType
    return {kinds.MATRIX_MULTIPLY, kinds.CONVOLUTION, kinds.ATTENTION_INPUT}


def _attention_problems(found: int, expected: Expected) -> list[str]:
    if found == expected.attentions:
        return []
    return [f"{found} attention layers where the graph has {expected.attentions} attentions"]


def _precision_problems(heavy: list[Any], expected: Expected, trt: Any) -> list[str]:
    """Products that are computed wider than the recipe says: each costs several times what it should."""
    wanted = {Precision.FP32: trt.float32, Precision.FP16: trt.float16, Precision.BF16: trt.bfloat16}
    others = [layer for layer in heavy if layer.get_input(0).dtype != wanted[expected.precision]]
    if len(others) == expected.others:
        return []
    told = f"{len(others)} products and convolutions are not in {expected.precision}, where the recipe has"
    return [f"{told} {expected.others}: {_some(others)}"]


def _cast_problems(casts: list[Any], readers: Counter[str], trt: Any) -> list[str]:
    """Casts whose result another cast takes back at once.

    To half precision and back loses what fp32 was there for. From half precision and back is memory read and written
    for nothing, unless somebody else reads what is between.
    """
    results = {layer.get_output(0).name: layer for layer in casts}
    undone = [
        layer
        for layer in casts
        if (source := results.get(layer.get_input(0).name)) is not None
        and source.get_input(0).dtype == layer.get_output(0).dtype
        and (layer.get_output(0).dtype == trt.float32 or readers[layer.get_input(0).name] == 1)
    ]
    return [f"{len(undone)} casts take back the cast before them: {_some(undone)}"] if undone else []


def _readers(layers: list[Any]) -> Counter[str]:
    """How many layers read each tensor."""
    inputs = (layer.get_input(number) for layer in layers for number in range(layer.num_inputs))
    return Counter(tensor.name for tensor in inputs if tensor is not None)


def _is_between_floats(layer: Any, trt: Any) -> bool:
    floats = {trt.float32, trt.float16, trt.bfloat16}
    before, after = layer.get_input(0).dtype, layer.get_output(0).dtype
    return before != after and {before, after} <= floats


def _some(layers: list[Any]) -> str:
    names = [layer.name for layer in layers]
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
