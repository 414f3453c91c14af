"""Stable Video Diffusion's components as traced graphs: their signatures, and running them in onnxruntime."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import onnx_ir as ir
import tiny_bundles
from vidrt_engines import svd_components

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch
    from torch import nn
    from vidrt_engines.components import Signature


def unet(*, context: int, channels: int = 8, out_channels: int = 4, time_ids: int = 3) -> Signature:
    """Return the UNet's tensors."""
    return svd_components.unet(
        in_channels=channels, out_channels=out_channels, context_width=context, time_ids=time_ids
    )


def image_encoder(*, embedding: int, size: int = 224) -> Signature:
    """Return the image encoder's tensors."""
    return svd_components.image_encoder(image_size=size, width=embedding)


VAE_ENCODER = svd_components.vae_encoder(latent_channels=4)
VAE_DECODER = svd_components.vae_decoder(latent_channels=4)


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
