"""Stable Video Diffusion's components as traced graphs: their signatures, and running them in onnxruntime."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import onnx_ir as ir
import pytest
import tiny_bundles
import torch
from onnxscript import opset23 as op
from vidrt_engines.components import Signature
from vidrt_engines.tensors import TensorSpec
from vidrt_export.tracing import trace as tracing
from vidrt_export.tracing.shapes import shape_translations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import nn


def _spec(name: str, *axes: str | int) -> TensorSpec:
    return TensorSpec(name=name, dtype="float32", axes=tuple(map(str, axes)))


_LATENT_GRID = ("latent_rows", "latent_columns")
_GRID = ("rows", "columns")


def unet(*, context: int, channels: int = 8, out_channels: int = 4, time_ids: int = 3) -> Signature:
    """Return the UNet's tensors."""
    return Signature(
        inputs=(
            _spec("sample", "batch", "frames", channels, *_LATENT_GRID),
            _spec("timestep", "batch"),
            _spec("image_embeds", "batch", 1, context),
            _spec("added_time_ids", "batch", time_ids),
        ),
        outputs=(_spec("velocity", "batch", "frames", out_channels, *_LATENT_GRID),),
    )


def image_encoder(*, embedding: int, size: int = 224) -> Signature:
    """Return the image encoder's tensors."""
    return Signature(
        inputs=(_spec("pixel_values", "batch", 3, size, size),),
        outputs=(_spec("image_embeds", "batch", embedding),),
    )


VAE_ENCODER = Signature(
    inputs=(_spec("image", "batch", 3, *_GRID),), outputs=(_spec("moments", "batch", 8, *_LATENT_GRID),)
)
VAE_DECODER = Signature(
    inputs=(_spec("latents", "batch", "frames", 4, *_LATENT_GRID),),
    outputs=(_spec("frames", "batch", "frames", 3, *_GRID),),
)


def trace(make: Callable[[], nn.Module], signature: Signature, sizes: Mapping[str, int], **options: Any) -> ir.Model:
    """Trace as the exporter does, with `split_like` written as a reshape to sizes that the graph reads."""
    table = {**shape_translations(), torch.ops.vidrt.split_like.default: _split_like}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "shape_translations", lambda: table)
        return tracing.trace(make, signature, sizes, **options)


def with_weights(model: ir.Model, state: Mapping[str, torch.Tensor]) -> ir.Model:
    """Give a traced graph these weights."""
    assert set(model.graph.initializers) >= set(state), "a parameter has been dropped"
    for name, value in state.items():
        parameter = model.graph.initializers[name]
        parameter.const_value = ir.tensor(value.numpy(), name=name)
        parameter.shape = ir.Shape(value.shape)
    return model


def content(model: ir.Model) -> bytes:
    """Return a graph as it would be written."""
    return ir.serde.serialize_model(model).SerializeToString(deterministic=True)


def opened(model: ir.Model, folder: Path) -> Any:
    """Open a graph that has weights in onnxruntime."""
    ir.save(model, folder / "model.onnx")
    return tiny_bundles.open_graph(folder / "model.onnx")


def maker(module: nn.Module) -> partial[nn.Module]:
    """Return what builds another module like this one, without its weights."""
    return partial(type(module), module.params)


def _split_like(x: Any, axis: int, like: Any, first: int, count: int) -> Any:
    rank = len(x.shape)
    sizes = [op.Shape(x, start=0, end=axis)] if axis else []
    sizes.append(op.Shape(like, start=first, end=first + count))
    if axis + 1 < rank:
        sizes.append(op.Shape(x, start=axis + 1, end=rank))
    return op.Reshape(x, op.Concat(*sizes, axis=0) if len(sizes) > 1 else sizes[0])
