"""How attention and products with quantised matrices are written in the graph, by backend."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from vidrt_engines.names import Backend
from vidrt_reference.attention import Attend
from vidrt_reference.int8 import Int8Linear
from vidrt_reference.quantised import MIDDLE, QuantisedLinear

DECOMPOSABLE = "TRT_decomposable"
# The head sizes and types for which TensorRT has a fused kernel; elsewhere it has to be told that it may do without.
# For a single head, as in the VAE of Stable Video Diffusion, none was found either.
_FUSED_HEADS = range(16, 257)
_FUSED_TYPES = (torch.float16, torch.bfloat16)


def lower_attention(module: nn.Module, backend: Backend) -> None:
    """Replaces every attention in a module by the node that the backend fuses."""
    for part in module.modules():
        if hasattr(part, "attend"):
            part.attend = LOWERINGS[backend]  # type: ignore[assignment]  # not a module, as mypy takes attributes to be


def contrib_attention(
    query: Tensor, key: Tensor, value: Tensor, *, heads: int, bias: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """`com.microsoft.MultiHeadAttention`: (B, S, heads · D), (B, L, heads · D) twice, to (B, S, heads · D).

    On the CPU it does not write down the scores, where the standard node does: 2 GB at 4096 tokens and 32 heads.
    OpenVINO reads it as well.
    """
    attributes: dict[str, Any] = {"num_heads": heads, "scale": _scale(value, heads, scale)}
    # projection bias and key padding mask are not there; then comes what is added to the scores
    inputs: list[Tensor | None] = [query, key, value, *([] if bias is None else [None, None, bias])]
    return _node("com.microsoft::MultiHeadAttention", inputs, attributes, version=1)


def standard_attention(
    query: Tensor, key: Tensor, value: Tensor, *, heads: int, bias: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """ONNX's `Attention` of opset 23, shapes as above; TensorRT has a kernel for it in half precision.

    The attribute that lets it be taken apart goes where there is none: TensorRT's parser refuses the node otherwise.
    """
    attributes: dict[str, Any] = {"q_num_heads": heads, "kv_num_heads": heads, "scale": _scale(value, heads, scale)}
    if heads == 1 or value.dtype not in _FUSED_TYPES or value.shape[-1] // heads not in _FUSED_HEADS:
        attributes[DECOMPOSABLE] = 1
    return _node("Attention", [query, key, value, *([] if bias is None else [bias])], attributes, version=23)


def lower_products(module: nn.Module) -> None:
    """Replaces every product with a quantised matrix in a module by the node that leaves the matrix as it is."""
    for part in module.modules():
        if isinstance(part, QuantisedLinear):
            part.multiply = block_product
        elif isinstance(part, Int8Linear):
            part.multiply = int8_product


def int8_product(x: Tensor, weight: Tensor, scales: Tensor) -> Tensor:
    """`com.microsoft.DynamicQuantizeMatMul`: (..., K) and whole numbers (K, N) with their scales (N,) to (..., N)."""
    name, shape = "com.microsoft::DynamicQuantizeMatMul", (*x.shape[:-1], weight.shape[-1])
    return torch.onnx.ops.symbolic(name, [x, weight, scales], {}, dtype=x.dtype, shape=shape, version=1)


def block_product(x: Tensor, plane: Tensor, scales: Tensor, *, zero: int) -> Tensor:
    """`com.microsoft.MatMulNBits`: (B, L, K) and a matrix of (N, K) in blocks of four bits to (B, L, N).

    Without zero points the node takes off 8. It computes in fp32, as its accuracy level 0 says.
    """
    rows, blocks, width = plane.shape
    attributes: dict[str, Any] = {"K": x.shape[-1], "N": rows, "bits": 4, "block_size": 2 * width, "accuracy_level": 0}
    inputs: list[Tensor | None] = [x, plane, scales]
    if zero != MIDDLE:
        assert zero == 0
        inputs.append(torch.zeros(rows, -(-blocks // 2), dtype=torch.uint8, device=x.device))
    name, shape = "com.microsoft::MatMulNBits", (*x.shape[:-1], rows)
    return torch.onnx.ops.symbolic(name, inputs, attributes, dtype=x.dtype, shape=shape, version=1)


LOWERINGS: dict[Backend, Attend] = {
    Backend.ONNXRUNTIME: contrib_attention,
    Backend.TENSORRT: standard_attention,
    Backend.TENSORRT_RTX: standard_attention,
}


def _scale(value: Tensor, heads: int, scale: float | None) -> float:
    return scale if scale is not None else 1 / math.sqrt(value.shape[-1] // heads)


def _node(name: str, inputs: list[Tensor | None], attributes: dict[str, Any], *, version: int) -> Tensor:
    query = inputs[0]
    assert query is not None
    return torch.onnx.ops.symbolic(name, inputs, attributes, dtype=query.dtype, shape=query.shape, version=version)
