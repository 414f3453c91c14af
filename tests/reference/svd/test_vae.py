"""Both halves of the VAE against diffusers' on the same weights."""

import pytest
import tiny_svd
import torch
from closeness import BF16, FP32, relative_l2
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import component_tensors, read_config
from vidrt_reference.checkpoint.load import load
from vidrt_reference.svd.vae_decoder import VaeDecoder
from vidrt_reference.svd.vae_encoder import VaeEncoder
from vidrt_reference.svd.vae_params import VaeParams
from vidrt_reference.svd.vae_tensors import split_vae

LAYOUTS = {
    "as the real one": {},
    "three levels": {"block_out_channels": (32, 64, 96), "down_block_types": ("DownEncoderBlock2D",) * 3},
}
SHAPES = [(1, 1, 8, 8), (2, 2, 4, 3), (1, 14, 2, 5), (1, 25, 3, 2)]  # batch, frames, rows, columns of latents

pytestmark = pytest.mark.usefixtures("_no_grad")


@pytest.fixture
def _no_grad():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def oracles():
    return {name: tiny_svd.vae(**changes) for name, changes in LAYOUTS.items()}


def halves(oracle):
    params = VaeParams.from_config(oracle.config)
    modules = VaeEncoder(params).eval(), VaeDecoder(params).eval()
    for module, tensors in zip(modules, tiny_svd.vae_halves(oracle), strict=True):
        module.load_state_dict(tensors, strict=True)
    return modules


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_decoded_frames_are_diffusers(oracles, layout, shape):
    """The frames of one clip or several are diffusers', for any number of frames."""
    batch, frames, rows, columns = shape
    latents = drawn(batch, frames, 4, rows, columns)
    wanted = oracles[layout].decode(latents.flatten(0, 1), num_frames=frames).sample
    assert relative_l2(halves(oracles[layout])[1](latents).flatten(0, 1), wanted) <= FP32


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_moments_are_diffusers(oracles, layout, shape):
    """The moments are diffusers', behind the last convolution of all."""
    image = drawn(shape[0], 3, 8 * shape[2], 8 * shape[3])
    wanted = oracles[layout].encode(image).latent_dist.parameters
    assert relative_l2(halves(oracles[layout])[0](image), wanted) <= FP32


def test_frames_are_seen_together(oracles):
    """A frame's neighbours change it: a chunk is not the same as its frames one by one."""
    decoder = halves(oracles["as the real one"])[1]
    latents = drawn(1, 3, 4, 4, 4)
    assert relative_l2(decoder(latents[:, :1]), decoder(latents)[:, :1]) > 1e-2


def test_bfloat16_stays_near_fp32(oracles):
    """Both halves run in bfloat16 and stay near fp32."""
    oracle = oracles["as the real one"]
    for module, half, given in zip(
        halves(oracle), halves(oracle), (drawn(1, 3, 64, 64), drawn(1, 3, 4, 8, 8)), strict=True
    ):
        got = half.to(torch.bfloat16)(given.bfloat16())
        assert got.dtype == torch.bfloat16
        assert relative_l2(got.float(), module(given)) <= BF16


def test_loads_what_diffusers_saved(tmp_path, oracles):
    """A saved VAE splits into halves that load strictly, and gives diffusers' values."""
    oracle = oracles["as the real one"]
    oracle.save_pretrained(tmp_path)
    params = VaeParams.from_config(read_config(tmp_path, class_name="AutoencoderKLTemporalDecoder"))
    assert params.scaling_factor == 0.18215
    assert params.compression == 8
    tensors = split_vae(component_tensors(tmp_path))
    with torch.device("meta"):
        encoder, decoder = VaeEncoder(params), VaeDecoder(params)
    load(encoder, tensors.encoder)
    load(decoder, tensors.decoder)
    image, latents = drawn(1, 3, 24, 16), drawn(1, 2, 4, 3, 2)
    assert relative_l2(encoder(image), oracle.encode(image).latent_dist.parameters) <= FP32
    assert relative_l2(decoder(latents)[0], oracle.decode(latents[0], num_frames=2).sample) <= FP32
    with pytest.raises(CheckpointError, match=r"left over \(post_quant_conv\.weight\)"):
        split_vae({"post_quant_conv.weight": None})


def test_full_size_has_diffusers_names():
    """The real configuration gives exactly the names and shapes that diffusers' module has."""
    from diffusers import AutoencoderKLTemporalDecoder

    config = {"block_out_channels": [128, 256, 512, 512], "down_block_types": ["DownEncoderBlock2D"] * 4}
    config |= {"layers_per_block": 2, "latent_channels": 4, "sample_size": 768, "force_upcast": True}
    params = VaeParams.from_config(config)
    assert params == VaeParams()
    with torch.device("meta"):
        oracle, modules = AutoencoderKLTemporalDecoder(**config), (VaeEncoder(params), VaeDecoder(params))
    for module, tensors in zip(modules, tiny_svd.vae_halves(oracle), strict=True):
        assert {k: v.shape for k, v in module.state_dict().items()} == {k: v.shape for k, v in tensors.items()}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"layers_per_block": 3}, "2 at 'layers_per_block', but has 3"),
        ({"block_out_channels": [32, 40]}, "multiples of 32"),
        ({"block_out_channels": [32, 64, 64]}, "as many down_block_types as block_out_channels, 3, but has 2"),
        ({"down_block_types": ["AttnDownEncoderBlock2D"] * 2}, "at 'down_block_types'"),
        ({"latents_mean": [0.0]}, "'latents_mean'"),
    ],
)
def test_refuses_what_it_does_not_implement(change, told):
    """A value that is of the wrong type or not implemented is refused in one sentence that quotes it."""
    base = {"layers_per_block": 2, "block_out_channels": [32, 64], "down_block_types": ["DownEncoderBlock2D"] * 2}
    with pytest.raises(CheckpointError, match=told):
        VaeParams.from_config({**base, **change})
