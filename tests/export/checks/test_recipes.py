"""The recipes of half precision against diffusers and transformers in fp32, on the same weights."""

from functools import partial

import pytest
import tiny_ltx
import torch
from closeness import relative_l2
from edited import edited_copy, scaled
from vidrt_engines.names import Component, Precision
from vidrt_engines.precisions import BOUNDS
from vidrt_export.checks.precision import prepared
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_reference.checkpoint.load import load
from vidrt_reference.ltx_video.rope import rope_tables
from vidrt_reference.precision import to_precision

HALVES = [Precision.FP16, Precision.BF16]
DTYPES = {Precision.FP16: torch.float16, Precision.BF16: torch.bfloat16}
# What the transformer's last block adds to the stream: below 65504 as a product, beyond it with its gate.
LOUD = {
    "blocks.1.ff.net.2.weight": 2.0**12,
    "blocks.1.ff.net.2.bias": 2.0**12,
    "blocks.1.scale_shift_table": 8.0,
}

pytestmark = pytest.mark.usefixtures("_no_grad")


@pytest.fixture
def _no_grad():
    with torch.no_grad():
        yield


def module_of(source, component, precision=None, prepare=None):
    part = read_diffusers_folder(source).parts[component]
    prepare = prepare or (prepared(part, precision) if precision else partial(to_precision, dtype=torch.float32))
    module = prepare(part.make()).eval()
    load(module, part.tensors, optional=part.optional)
    return module


def normal(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def transformer_inputs(width):
    tables = rope_tables(torch.rand(30, 3, generator=torch.Generator().manual_seed(1)) * 500, width)
    return normal(2, 30, 8), normal(2, 7, 16, seed=4), torch.tensor([[700.0], [20.0]]), *tables


def text_encoder(module):
    tokens = torch.randint(0, 90, (2, 20), generator=torch.Generator().manual_seed(0))
    return module(tokens), tiny_ltx.build("0.9.5").text_encoder(tokens).last_hidden_state


def transformer(module):
    latents, context, timestep, *_ = transformer_inputs(32)
    coordinates = torch.rand(30, 3, generator=torch.Generator().manual_seed(1)) * 500
    wanted = tiny_ltx.transformer()(
        latents, context, timestep, torch.ones(2, 7), video_coords=coordinates.T.expand(2, -1, -1)
    )
    return module(latents, context, timestep, *rope_tables(coordinates, 32)), wanted.sample


def vae_encoder(module, form):
    frames = normal(1, 3, 9, 64, 96).tanh()
    return module(frames), tiny_ltx.vae(form).encode(frames).latent_dist.parameters


def vae_decoder(module, form):
    latents, more = normal(1, 8, 2, 2, 3), [] if form == "0.9.0" else [torch.tensor([0.05])]
    return module(latents, *more), tiny_ltx.vae(form).decode(latents, *more).sample


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize(
    ("form", "component", "both"),
    [
        ("0.9.5", Component.TEXT_ENCODER, text_encoder),
        ("0.9.5", Component.TRANSFORMER, transformer),
        ("0.9.5", Component.VAE_ENCODER, partial(vae_encoder, form="0.9.5")),
        ("0.9.5", Component.VAE_DECODER, partial(vae_decoder, form="0.9.5")),
        ("0.9.0", Component.VAE_ENCODER, partial(vae_encoder, form="0.9.0")),
        ("0.9.0", Component.VAE_DECODER, partial(vae_decoder, form="0.9.0")),
    ],
)
def test_a_recipe_is_near_the_oracle(checkpoints, form, component, both, precision):
    """Within the precision's bound of the oracle's fp32, and not the same: something was rounded."""
    got, wanted = both(module_of(checkpoints(form), component, precision))
    assert got.dtype is torch.float32  # what a component puts out is widened
    error = relative_l2(got, wanted)
    # random VAEs of 0.9.0's form exceed bf16's bound by a hair
    assert 1e-5 < error <= BOUNDS[precision] * (2 if form == "0.9.0" else 1)


@pytest.mark.parametrize("precision", HALVES)
def test_the_transformers_stream_is_wide(checkpoints, precision):
    """Its blocks hand on fp32, and every product of theirs takes weights in half precision."""
    module = module_of(checkpoints("0.9.5"), Component.TRANSFORMER, precision)
    seen = []
    for block in module.transformer_blocks:
        block.register_forward_hook(lambda _, __, output: seen.append(output.dtype))
        layers = {name: part.weight.dtype for name, part in block.named_modules() if isinstance(part, torch.nn.Linear)}
        assert layers.pop("attn2.to_q") is torch.bfloat16  # it takes the stream as it is
        assert set(layers.values()) == {DTYPES[precision]}
    module(*transformer_inputs(32))
    assert seen == [torch.float32] * 2


@pytest.mark.parametrize("block", [0, 1])
def test_a_stream_beyond_fp16_is_held(block, checkpoints, tmp_path):
    """A residual stream that passes 65504 between products that do not is right in fp16, and lost without fp32.

    Behind the first block the second's attention to the text takes it in, without a norm.
    """
    changes = {name.replace("blocks.1", f"blocks.{block}"): factor for name, factor in LOUD.items()}
    loud = edited_copy(checkpoints("0.9.5"), tmp_path / "loud", "transformer", scaled(changes))
    exact = module_of(loud, Component.TRANSFORMER)
    peaks = []
    exact.transformer_blocks[-1].register_forward_hook(lambda _, __, output: peaks.append(float(output.abs().max())))
    wanted = exact(*transformer_inputs(32))
    assert peaks[0] > 65504
    held = module_of(loud, Component.TRANSFORMER, Precision.FP16)
    assert relative_l2(held(*transformer_inputs(32)), wanted) <= BOUNDS[Precision.FP16]
    lost = module_of(loud, Component.TRANSFORMER, prepare=partial(to_precision, dtype=torch.float16))
    assert not lost(*transformer_inputs(32)).isfinite().all()
