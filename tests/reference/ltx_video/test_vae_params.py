"""The VAE's configuration: forms, compression, and what is refused."""

import dataclasses
import inspect

import pytest
import torch
from diffusers import AutoencoderKLLTXVideo
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.ltx_video.vae_decoder import VaeDecoder
from vidrt_reference.ltx_video.vae_encoder import VaeEncoder
from vidrt_reference.ltx_video.vae_params import VaeParams, compression
from vidrt_reference.ltx_video.vae_plan import read_vae_params

REAL = {
    "0.9.0": {},
    "0.9.1": {
        "decoder_block_out_channels": [256, 512, 1024],
        "decoder_layers_per_block": [5, 6, 7, 8],
        "decoder_spatio_temporal_scaling": [True, True, True],
        "decoder_inject_noise": [True, True, True, False],
        "upsample_residual": [True, True, True],
        "upsample_factor": [2, 2, 2],
        "timestep_conditioning": True,
    },
    "0.9.5": {
        "block_out_channels": [128, 256, 512, 1024, 2048],
        "down_block_types": ["LTXVideo095DownBlock3D"] * 4,
        "layers_per_block": [4, 6, 6, 2, 2],
        "spatio_temporal_scaling": [True, True, True, True],
        "downsample_type": ["spatial", "temporal", "spatiotemporal", "spatiotemporal"],
        "decoder_block_out_channels": [256, 512, 1024],
        "decoder_layers_per_block": [5, 5, 5, 5],
        "decoder_spatio_temporal_scaling": [True, True, True],
        "decoder_inject_noise": [False, False, False, False],
        "upsample_residual": [True, True, True],
        "upsample_factor": [2, 2, 2],
        "timestep_conditioning": True,
        "spatial_compression_ratio": 32,
        "temporal_compression_ratio": 8,
    },
}


@pytest.mark.parametrize("form", REAL)
def test_real_sizes_have_diffusers_names(form):
    """At the sizes of the real models, both halves have exactly the names and shapes that diffusers' VAE has."""
    with torch.device("meta"):
        params = VaeParams.from_config(REAL[form])
        oracle = AutoencoderKLLTXVideo(**REAL[form]).state_dict()
        decoder, encoder = VaeDecoder(params).state_dict(), VaeEncoder(params).state_dict()
    shapes = {name: value.shape for name, value in oracle.items() if not name.startswith("latents_")}
    got = {f"decoder.{name}": value.shape for name, value in decoder.items()}
    got |= {f"encoder.{name}": value.shape for name, value in encoder.items()}
    assert got == shapes


@pytest.mark.parametrize("form", REAL)
def test_compression_is_diffusers(form):
    """The compression is diffusers', for the real models 32 in space and 8 in time."""
    with torch.device("meta"):
        oracle = AutoencoderKLLTXVideo(**REAL[form])
    got = compression(VaeParams.from_config(REAL[form]))
    assert got == (oracle.spatial_compression_ratio, oracle.temporal_compression_ratio) == (32, 8)


def test_real_0_9_1_injects_two_maps_per_resnet():
    """The real 0.9.1 injects noise in the 18 resnets of its three upper stages."""
    with torch.device("meta"):
        module = VaeDecoder(VaeParams.from_config(REAL["0.9.1"]))
    assert module.injected_noise == (2,) * 14 + (4,) * 12 + (8,) * 10


def test_defaults_are_diffusers():
    """What a configuration leaves out has diffusers' default."""
    defaults = inspect.signature(AutoencoderKLLTXVideo.__init__).parameters
    params = dataclasses.asdict(VaeParams.from_config({}))
    assert params == {name: defaults[name].default for name in params}
    assert len(params) == len(defaults) - 2  # but for self and patch_size_t, which must be 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"latent_channels": "x"}, "a positive integer at 'latent_channels', but has 'x'"),
        ({"latent_channels": 0}, "a positive integer at 'latent_channels', but has 0"),
        ({"block_out_channels": 128}, "a list of positive integers at 'block_out_channels', but has 128"),
        ({"block_out_channels": []}, "a list of positive integers at 'block_out_channels'"),
        ({"layers_per_block": [4, 3, -3, 3, 4]}, "a list of positive integers at 'layers_per_block'"),
        ({"layers_per_block": [4, 3]}, "layers_per_block were expected to be at least 5 long"),
        ({"spatio_temporal_scaling": [1, 1, 1, 0]}, "a list of true and false at 'spatio_temporal_scaling'"),
        ({"down_block_types": ["Other"] * 4}, "'LTXVideoDownBlock3D' or 'LTXVideo095DownBlock3D'"),
        ({"down_block_types": ["LTXVideoDownBlock3D", "LTXVideo095DownBlock3D"] * 2}, "of one type"),
        ({"downsample_type": ["conv", "odd", "conv", "conv"]}, "'conv' or 'spatial' or 'temporal'"),
        ({"timestep_conditioning": "yes"}, "true or false at 'timestep_conditioning'"),
        ({"patch_size_t": 2}, "1 at 'patch_size_t', but has 2"),
        ({"resnet_norm_eps": 0}, "a positive number at 'resnet_norm_eps'"),
        ({"use_quant_conv": True}, "'use_quant_conv'"),
        ({"timestep_conditioning": True}, "decoder_block_out_channels were expected to be alike"),
        ({"decoder_inject_noise": [True] * 5}, "decoder_block_out_channels were expected to be alike"),
        ({**REAL["0.9.1"], "upsample_factor": [2, 2, 3]}, "upsample_factor were expected to be divisors"),
        ({**REAL["0.9.1"], "decoder_block_out_channels": [3, 6, 12]}, "upsample_residual were expected"),
        ({**REAL["0.9.5"], "block_out_channels": [128, 256, 500, 1024, 2048]}, "such that temporal downsampling"),
        ({**REAL["0.9.5"], "downsample_type": ["conv"] * 4}, "such that conv downsampling"),
        ({**REAL["0.9.5"], "spatio_temporal_scaling": [False] * 4}, "such that no downsampling"),
    ],
)
def test_refuses_what_it_does_not_implement(change, told):
    """A value that is of the wrong type, not implemented, or at odds with another is refused in one sentence."""
    with pytest.raises(CheckpointError, match=told) as error:
        read_vae_params(change)
    assert "\n" not in str(error.value)
