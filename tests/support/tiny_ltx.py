"""A tiny LTX-Video checkpoint of the true architecture, which diffusers and transformers themselves build and save.

Its VAE compresses as the real one does (32 in space, 8 in time); its weights are random, but none is idle: no scale is
zero, no norm all ones.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, Literal

import diffusers
import torch
import transformers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Form = Literal["0.9.0", "0.9.1", "0.9.5"]
FORMS: tuple[Form, ...] = ("0.9.0", "0.9.1", "0.9.5")

TRANSFORMER = {
    "num_attention_heads": 4,
    "attention_head_dim": 8,  # 32 channels, which as the real 2048 are not divided by 6
    "cross_attention_dim": 32,
    "num_layers": 2,
    "caption_channels": 16,
}
TEXT_ENCODER = {
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 2,
    "num_heads": 2,
    "feed_forward_proj": "gated-gelu",
}

# Heads as wide as TensorRT's narrowest fused attention.
FUSED_HEADS = {
    "transformer": {"attention_head_dim": 16, "cross_attention_dim": 64},
    "text_encoder": {"d_kv": 16},
}

_CONV_ENCODER = {
    "block_out_channels": (8, 16, 32, 32),
    "down_block_types": ("LTXVideoDownBlock3D",) * 4,
    "layers_per_block": (1, 1, 1, 1, 1),
    "spatio_temporal_scaling": (True, True, True, False),
    "downsample_type": ("conv",) * 4,
}
_BOX_ENCODER = {
    "block_out_channels": (8, 16, 32, 32, 64),
    "down_block_types": ("LTXVideo095DownBlock3D",) * 4,
    "layers_per_block": (1, 1, 1, 1, 1),
    "spatio_temporal_scaling": (True, True, True, True),
    "downsample_type": ("spatial", "temporal", "spatiotemporal", "spatiotemporal"),
    "spatial_compression_ratio": 32,
    "temporal_compression_ratio": 8,
}
_PLAIN_DECODER = {
    "decoder_block_out_channels": (8, 16, 32, 32),
    "decoder_layers_per_block": (1, 1, 1, 1, 1),
    "decoder_spatio_temporal_scaling": (True, True, True, False),
    "decoder_inject_noise": (False,) * 5,
    "upsample_residual": (False,) * 4,
    "upsample_factor": (1,) * 4,
    "timestep_conditioning": False,
}
_CONDITIONED_DECODER = {
    "decoder_block_out_channels": (8, 16, 32),
    "decoder_layers_per_block": (1, 1, 1, 1),
    "decoder_spatio_temporal_scaling": (True, True, True),
    "decoder_inject_noise": (False,) * 4,
    "upsample_residual": (True,) * 3,
    "upsample_factor": (2,) * 3,
    "timestep_conditioning": True,
}
VAE: dict[str, dict[str, Any]] = {
    "0.9.0": {**_CONV_ENCODER, **_PLAIN_DECODER},
    "0.9.1": {**_CONV_ENCODER, **_CONDITIONED_DECODER, "decoder_inject_noise": (True, True, True, False)},
    "0.9.5": {**_BOX_ENCODER, **_CONDITIONED_DECODER},
}

_SHIFTED = {
    "use_dynamic_shifting": True,
    "base_shift": 0.95,
    "max_shift": 2.05,
    "base_image_seq_len": 1024,
    "max_image_seq_len": 4096,
    "shift_terminal": 0.1,
}
SCHEDULER: dict[str, dict[str, Any]] = {"0.9.0": _SHIFTED, "0.9.1": _SHIFTED, "0.9.5": {}}

_WORDS = """
a an and at best big bird blurry boat by cat clouds dark day dog distorted fast field fire fish flies forest from green
horse house in inconsistent is jittery lake light man moon motion mountain night of old on over quality rain red river
road runs sea slow snow star street sun the through tree under walks water white wind with woman worst
"""
_TOKENS = 128


def save(folder: Path, form: Form = "0.9.0", **options: Any) -> Path:
    """Save a whole pipeline of one of the VAE's forms, as `diffusers.<pipeline>.save_pretrained` lays it out."""
    build(form, **options).save_pretrained(folder)
    return folder


def build(
    form: Form = "0.9.0",
    *,
    seed: int = 0,
    pipeline: str = "LTXPipeline",
    latent_channels: int = 8,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> Any:
    """Build a whole pipeline of one of the VAE's forms, in fp32 and in eval mode; `changes` are by component."""
    words, changes = tokenizer(), changes or {}
    channels = {"in_channels": latent_channels, "out_channels": latent_channels}
    return getattr(diffusers, pipeline)(
        transformer=transformer(seed, **channels, **changes.get("transformer", {})),
        vae=vae(form, seed, latent_channels=latent_channels),
        text_encoder=text_encoder(seed, vocab_size=len(words), **changes.get("text_encoder", {})),
        tokenizer=words,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(**SCHEDULER[form]),
    )


def transformer(seed: int = 0, **changes: Any) -> diffusers.LTXVideoTransformer3DModel:
    """Build the transformer, with other values than TRANSFORMER's where `changes` has them."""
    config = {"in_channels": 8, "out_channels": 8, **TRANSFORMER, **changes}
    return _filled(diffusers.LTXVideoTransformer3DModel(**config), seed)


def vae(form: Form, seed: int = 0, **changes: Any) -> diffusers.AutoencoderKLLTXVideo:
    """Build the VAE of one form, with other values than VAE's where `changes` has them."""
    return _filled(diffusers.AutoencoderKLLTXVideo(**{"latent_channels": 8, **VAE[form], **changes}), seed)


def text_encoder(seed: int = 0, *, vocab_size: int = 100, **changes: Any) -> transformers.T5EncoderModel:
    """Build the text encoder, with other values than TEXT_ENCODER's where `changes` has them."""
    config = transformers.T5Config(vocab_size=vocab_size, **{**TEXT_ENCODER, **changes})
    return _filled(transformers.T5EncoderModel(config), seed)


def tokenizer() -> Any:
    """Build T5's tokenizer over a small list of words, with letters for all others and no sentinels."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    words = [(f"▁{word}", -3.0 - 0.01 * rank) for rank, word in enumerate(_WORDS.split())]
    letters = [(letter, -8.0 - 0.01 * rank) for rank, letter in enumerate("▁" + string.ascii_lowercase + ".,")]
    vocabulary = [*special, *words, *((piece, score) for piece, score in letters)]
    return transformers.T5TokenizerFast(vocab=vocabulary, extra_ids=0, model_max_length=_TOKENS)


@torch.no_grad()
def _filled(model: Any, seed: int) -> Any:
    """Draw every value anew such that signals keep their size, in the order of names."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in sorted([*model.named_parameters(), *model.named_buffers()]):
        if name.rpartition(".")[2] != "timestep_scale_multiplier":
            value.copy_(_drawn(name, torch.randn(value.shape, generator=generator)))
    return model.eval()


def _drawn(name: str, noise: torch.Tensor) -> torch.Tensor:
    leaf = name.rpartition(".")[2]
    if leaf == "latents_std":
        return 1 + 0.3 * noise.tanh()
    if leaf in {"scale_shift_table", "per_channel_scale1", "per_channel_scale2", "latents_mean"}:
        return 0.3 * noise
    if "relative_attention_bias" in name or noise.ndim == 1:
        return 1 + 0.2 * noise if "norm" in name and leaf == "weight" else 0.2 * noise
    if name.startswith(("shared.", "encoder.embed_tokens.")):
        return noise
    fan_in = noise.numel() // noise.shape[0]
    # T5 does not scale its scores: the queries' weights do
    return noise * fan_in**-0.5 * (0.35 if name.endswith("SelfAttention.q.weight") else 1.0)
