"""The original single file against Stability AI's own modules: the same names, the same results.

The golden arrays were made by `scripts/golden_svd_original.py`, which runs the original code on the weights used here.
"""

import re
from dataclasses import asdict

import diffusers
import pytest
import svd_original
import torch
import transformers
from closeness import relative_l2
from torch import nn
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import below
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.stored import read_header
from vidrt_reference.svd.original import image_encoder
from vidrt_reference.svd.original.file import UNET, is_original, original_tensors
from vidrt_reference.svd.original.unet import unet_params
from vidrt_reference.svd.original.vae import vae_params

BOUND = 3e-6  # two implementations in fp32 of several dozen layers; measured at most 1.9e-6


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """What a tiny original file holds."""
    return read_header(svd_original.save(tmp_path_factory.mktemp("original") / "svd.safetensors"))


@pytest.fixture(scope="module")
def golden():
    """What the original modules were given and made."""
    return {name: torch.from_numpy(value) for name, value in svd_original.arrays().items()}


def values(tensors):
    """Read all tensors."""
    return {name: read_tensor(tensor) for name, tensor in tensors.items()}


def test_files_are_recognised(stored):
    """By the names of the UNet and of the decoder together: many models have one of the two."""
    assert is_original(stored)
    assert not is_original({name: tensor for name, tensor in stored.items() if not name.startswith(UNET)})


@torch.no_grad()
def test_unet(stored, golden):
    """Its weights load strictly into diffusers' class, which then computes what the original does.

    The epsilon of diffusers' group norms is 1e-6 in blocks that attend, where the original has 1e-5: set to that here.
    """
    params = unet_params(below(UNET, stored), num_frames=3)
    oracle = diffusers.UNetSpatioTemporalConditionModel(**asdict(params)).eval()
    oracle.load_state_dict(values(original_tensors(stored).unet), strict=True)
    for name, norm in oracle.named_modules():
        if isinstance(norm, nn.GroupNorm) and "attentions" not in name:
            norm.eps = 1e-5
    oracle.add_time_proj = Given(golden["vector"].reshape(3, -1))
    got = oracle(golden["latents"][None], golden["timestep"], golden["context"], torch.zeros(1, 3)).sample
    assert relative_l2(got[0], golden["unet"]) <= BOUND


class Given(nn.Module):
    """Stands for the sinusoids of the micro-conditionings, which the original computes outside its UNet."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, _):
        return self.value


@torch.no_grad()
def test_vae(stored, golden):
    """Both halves load strictly into diffusers' class; the encoder is the one that the original conditions with."""
    params, tensors = vae_params(stored), original_tensors(stored).vae
    oracle = diffusers.AutoencoderKLTemporalDecoder(
        block_out_channels=params.block_out_channels,
        down_block_types=("DownEncoderBlock2D",) * len(params.block_out_channels),
        layers_per_block=2,
    ).eval()
    encoder = {name if "quant" in name else f"encoder.{name}": value for name, value in values(tensors.encoder).items()}
    decoder = {f"decoder.{name}": value for name, value in values(tensors.decoder).items()}
    oracle.load_state_dict({**encoder, **decoder}, strict=True)
    assert relative_l2(oracle.encode(golden["image"]).latent_dist.mode(), golden["encoded"]) <= BOUND
    assert relative_l2(oracle.decode(golden["decoded_latents"], num_frames=3).sample, golden["decoded"]) <= BOUND


@torch.no_grad()
def test_image_encoder(stored, golden):
    """Its one matrix of queries, keys and values is three of transformers' class, and its projection turned over."""
    mine = below(image_encoder.PREFIX, stored)
    params = asdict(image_encoder.image_encoder_params(mine))
    oracle = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(**params)).eval()
    oracle.load_state_dict(values(image_encoder.image_encoder_tensors(mine)), strict=True)
    assert relative_l2(oracle(golden["clip_image"]).image_embeds, golden["embedding"]) <= BOUND


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model.diffusion_model.extra.weight": (1,)}, "1 tensors left over (extra.weight)"),
        ({"first_stage_model.decoder.extra": (1,)}, "1 tensors left over (extra)"),
        ({"somebody.else": (1,)}, "1 tensors left over (somebody.else)"),
        ({"conditioner.embedders.0.open_clip.model.visual.attnpool": (1,)}, "1 tensors left over (attnpool)"),
        ({f"{image_encoder.PREFIX}transformer.resblocks.0.attn.in_proj_bias": (4,)}, "three matrices in one"),
    ],
)
def test_what_belongs_nowhere_is_named(tmp_path, changes, told):
    """A tensor that no component takes is an error, whatever it is under."""
    zeros = {name: torch.zeros(shape).numpy() for name, shape in changes.items()}
    found = read_header(svd_original.save(tmp_path / "svd.safetensors", zeros))
    with pytest.raises(CheckpointError, match=re.escape(told)):
        original_tensors(found)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("model.diffusion_model.out.2.weight", lambda stored: unet_params(below(UNET, stored), 14)),
        ("model.diffusion_model.input_blocks.3.0.op.weight", lambda stored: unet_params(below(UNET, stored), 14)),
        ("first_stage_model.decoder.conv_in.weight", vae_params),
        (
            f"{image_encoder.PREFIX}proj",
            lambda stored: image_encoder.image_encoder_params(below(image_encoder.PREFIX, stored)),
        ),
    ],
)
def test_a_missing_measure_is_named(stored, name, read):
    """What says how wide or deep a component is must be there."""
    with pytest.raises(CheckpointError, match="Expected"):
        read({other: tensor for other, tensor in stored.items() if other != name})
