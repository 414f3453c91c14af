"""The configuration in a file's metadata: full-size block lists as diffusers has them, and what is refused."""

import copy
import json
import re

import ltx_original
import pytest
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.ltx_video.original.config import Told, told
from vidrt_reference.ltx_video.original.transformer import params_of_config
from vidrt_reference.ltx_video.original.vae_params import OriginalVae
from vidrt_reference.ltx_video.transformer import TransformerParams
from vidrt_reference.ltx_video.vae_params import VaeParams

BOXES = ("LTXVideo095DownBlock3D",) * 4
# What `scripts/convert_ltx_to_diffusers.py` of diffusers gives these forms at their full width, but for its defaults.
DIFFUSERS = {
    "0.9.0": {},
    "0.9.1": {
        "decoder_block_out_channels": (256, 512, 1024), "decoder_layers_per_block": (5, 6, 7, 8),
        "decoder_spatio_temporal_scaling": (True,) * 3, "decoder_inject_noise": (True, True, True, False),
        "upsample_residual": (True,) * 3, "upsample_factor": (2,) * 3, "timestep_conditioning": True,
    },
    "0.9.5": {
        "block_out_channels": (128, 256, 512, 1024, 2048), "down_block_types": BOXES,
        "decoder_block_out_channels": (256, 512, 1024), "layers_per_block": (4, 6, 6, 2, 2),
        "decoder_layers_per_block": (5, 5, 5, 5), "spatio_temporal_scaling": (True,) * 4,
        "decoder_spatio_temporal_scaling": (True,) * 3, "decoder_inject_noise": (False,) * 4,
        "downsample_type": ("spatial", "temporal", "spatiotemporal", "spatiotemporal"),
        "upsample_residual": (True,) * 3, "upsample_factor": (2,) * 3, "timestep_conditioning": True,
        "spatial_compression_ratio": 32, "temporal_compression_ratio": 8,
    },
}  # fmt: skip


def vae_config(form="0.9.5", **changes):
    return {**copy.deepcopy(ltx_original.golden()[form]["config"]["vae"]), **changes}


def transformer_config(**changes):
    return {**ltx_original.golden()["0.9.5"]["config"]["transformer"], **changes}


@pytest.mark.parametrize("form", DIFFUSERS)
def test_full_size_is_diffusers(form):
    """At the published widths, the block lists come to diffusers' configuration of that version."""
    config = vae_config(form, latent_channels=128)
    del config["encoder_base_channels"], config["decoder_base_channels"]
    assert OriginalVae.from_config(config).params == VaeParams.from_config(DIFFUSERS[form])


@pytest.mark.parametrize(("width", "layers", "heads_width"), [(2048, 28, 64), (4096, 48, 128)], ids=["2B", "13B"])
def test_full_size_transformers(width, layers, heads_width):
    """The published transformers come to diffusers' configuration of them."""
    changes = {
        "attention_head_dim": heads_width, "cross_attention_dim": width, "num_layers": layers, "in_channels": 128,
        "out_channels": 128, "caption_channels": 4096,
    }  # fmt: skip
    wanted = TransformerParams(attention_head_dim=heads_width, cross_attention_dim=width, num_layers=layers)
    assert params_of_config(transformer_config(**changes)) == wanted


RESNETS, RAISING = ["res_x", {"num_layers": 1}], ["compress_all", {"residual": True, "multiplier": 2}]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"decoder_blocks": [RESNETS, ["attn_res_x", {}], RESNETS]}, "it has a block 'attn_res_x'"),
        ({"encoder_blocks": [RESNETS, ["compress_space", {}], RESNETS]}, "it has a block 'compress_space'"),
        ({"encoder_blocks": [RESNETS, RAISING, RAISING, RESNETS]}, "block 2 is another compress_all"),
        ({"decoder_blocks": [RESNETS, ["compress_time_res", {}], RESNETS]}, "block 1 is another compress_time_res"),
        ({"encoder_blocks": [RESNETS, RESNETS, RAISING]}, "to have stages and a middle"),
        ({"decoder_blocks": [RESNETS]}, "to have stages and a middle"),
        ({"decoder_blocks": "res_x"}, "a list of blocks as decoder_blocks"),
        ({"decoder_blocks": [RESNETS, ["compress_all"], RESNETS]}, "pairs of a block's kind and its options"),
        ({"decoder_blocks": [["res_x", {"num_layers": 0}], RAISING, RESNETS]}, "a positive integer at 'num_layers'"),
        ({"decoder_blocks": [RESNETS, ["res_x_y", {"inject_noise": True}], RESNETS]}, "injects it in a res_x_y"),
        ({"decoder_blocks": [RESNETS, ["res_x_y", 1], RESNETS]}, "no res_x_y block behind its middle"),
        ({"encoder_blocks": [RESNETS, ["res_x_y", 1], RESNETS]}, "no res_x_y block before its middle"),
        ({"encoder_blocks": [RESNETS, ["res_x_y", {"multiplier": 1}], RESNETS, RESNETS]}, "leaves its width as it is"),
        ({"norm_layer": "group_norm"}, "'pixel_norm' at 'norm_layer', but has 'group_norm'"),
        ({"spatial_padding_mode": "replicate"}, "'zeros' at 'spatial_padding_mode'"),
        ({"use_quant_conv": True}, "False at 'use_quant_conv'"),
        ({"latent_channels": None}, "a positive integer at 'latent_channels'"),
    ],
)  # fmt: skip
def test_what_is_not_implemented_is_refused(changes, wanted):
    """Blocks and options that no published VAE has are named, in one sentence that says where they stand."""
    with pytest.raises(CheckpointError, match=re.escape(wanted)) as error:
        OriginalVae.from_config(vae_config(**changes))
    assert "config.json" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"qk_norm": "layer_norm"}, "'rms_norm' at 'qk_norm', but has 'layer_norm'"),
        ({"standardization_norm": "layer_norm"}, "'rms_norm' at 'standardization_norm'"),
        ({"positional_embedding_max_pos": [120, 1, 1]}, "[20, 2048, 2048] at 'positional_embedding_max_pos'"),
        ({"positional_embedding_theta": 1000.0}, "positional_embedding_theta was expected to be 10000, but is 1000.0"),
        ({"timestep_scale_multiplier": None}, "'timestep_scale_multiplier'"),
        ({"adaptive_norm": "single_scale"}, "'single_scale_shift' at 'adaptive_norm'"),
        ({"num_layers": "2"}, "a positive integer at 'num_layers'"),
    ],
)
def test_other_transformers_are_refused(changes, wanted):
    """Whatever changes what the weights mean has one value; the official defaults, which differ, are refused too."""
    with pytest.raises(CheckpointError, match=re.escape(wanted)):
        params_of_config(transformer_config(**changes))


def test_what_the_official_code_does_not_read_is_passed_over():
    """Published files carry keys that have no effect."""
    changes = {"num_vector_embeds": None, "something": 1}
    assert params_of_config(transformer_config(**changes)) == params_of_config(transformer_config())
    assert OriginalVae.from_config(vae_config(something=1)) == OriginalVae.from_config(vae_config())


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ("{", "Expected JSON as config"),
        ("[]", "Expected a JSON object as config"),
        ('{"transformer": {"_class_name": "AVTransformer3DModel"}}', "of a Transformer3DModel as transformer"),
        ('{"vae": []}', "of a CausalVideoAutoencoder as vae"),
        ('{"allowed_inference_steps": 8}', "a list of numbers as allowed_inference_steps"),
    ],
)
def test_damaged_metadata(config, wanted):
    """Metadata that are no configuration, or that of another architecture, are refused with the file's name."""
    with pytest.raises(CheckpointError, match=re.escape(wanted)) as error:
        told({"config": config}, where="ltxv.safetensors")
    assert "ltxv.safetensors" in str(error.value)


def test_what_metadata_say():
    """Parts, the rotary time, the only sigmas, and a version; where they say nothing, nothing is made up."""
    config = {"transformer": {"causal_temporal_positioning": True}, "allowed_inference_steps": [1, 0.725]}
    said = told({"config": json.dumps(config), "model_version": "0.9.8-Distilled"}, where="")
    assert (said.causal_time, said.sigmas, said.version) == (True, (1.0, 0.725), "0.9.8-distilled")
    assert (said.vae, said.scheduler) == (None, None)
    assert told({"format": "pt"}, where="") == Told()
    assert Told().causal_time is None
