"""Recipes: what stays in fp32 when a component computes in half precision, and how far it may then be off."""

from dataclasses import dataclass

from vidrt_engines.names import Component, Family, Precision


@dataclass(frozen=True, kw_only=True)
class Islands:
    """What stays in fp32; norms, rotation, sinusoids and softmax do in every component.

    Attributes:
        wide: patterns, as in a shell, of names of modules whose weights and maths are fp32.
        streams: patterns of names of modules where residual streams begin: what they put out is widened, and every sum
            from there on is fp32. Products stay in half precision.
        ranged: patterns of names of modules that take in more than fp16 holds: in an fp16 engine they are bf16.
    """

    wide: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    ranged: tuple[str, ...] = ()


ISLANDS: dict[Family, dict[Component, Islands]] = {
    Family.LTX_VIDEO: {
        Component.TEXT_ENCODER: Islands(wide=("encoder.final_layer_norm",), streams=("shared",)),
        Component.TRANSFORMER: Islands(
            wide=("time_embed", "*.attn1.norm_[qk]"),  # normed queries and keys go on to their rotation in fp32
            streams=("proj_in",),
            ranged=("*.attn2.to_q",),  # the one product that takes the residual stream without a norm before it
        ),
        Component.VAE_ENCODER: Islands(streams=("conv_in", "down_blocks.*.downsamplers.*", "down_blocks.*.conv_out")),
        Component.VAE_DECODER: Islands(
            wide=("*time_embedder",), streams=("conv_in", "up_blocks.*.conv_in", "up_blocks.*.upsamplers.*")
        ),
        Component.LATENT_UPSAMPLER: Islands(streams=("upsampler",)),  # before it, every norm gives fp32
    },
    Family.SVD: {
        Component.IMAGE_ENCODER: Islands(wide=("vision_model.pre_layrnorm",)),
        Component.VAE_ENCODER: Islands(streams=("conv_in", "*.downsamplers.0")),
        Component.UNET: Islands(
            wide=("time_embedding", "add_embedding"),
            streams=("conv_in", "*.downsamplers.0", "*.upsamplers.0", "*.conv_shortcut", "*.proj_in"),
        ),
        Component.VAE_DECODER: Islands(streams=("conv_in", "*.upsamplers.0")),
    },
}

# For each component of linear layers, patterns of names of those that are not rounded to 8 bits: where values enter
# and leave, what the timestep becomes, which is a row or two, and what T5's feed-forward puts out, whose values are so
# loud that transformers keeps it in fp32 too. What is left costs most and, by one kind of layer after the other on the
# trained demos, loses least.
INT8: dict[Family, dict[Component, tuple[str, ...]]] = {
    Family.LTX_VIDEO: {
        Component.TEXT_ENCODER: ("*.wo",),
        Component.TRANSFORMER: ("proj_in", "proj_out", "time_embed.*", "caption_projection.*"),
    },
    Family.SVD: {
        Component.IMAGE_ENCODER: ("visual_projection",),
        Component.UNET: (
            "time_embedding.*", "add_embedding.*", "*.time_emb_proj", "*.time_pos_embed.*", "*.proj_in", "*.proj_out",
        ),
    },
}  # fmt: skip

# Relative L2 against fp32, per component: more is refused.
BOUNDS: dict[Precision, float] = {
    Precision.FP32: 1e-5,
    Precision.FP16: 3e-3,
    Precision.BF16: 1e-2,
    Precision.INT8: 3e-2,
}

# What a component is built in where all are asked for in fp16: T5's feed-forward goes beyond what fp16 holds.
SAFE_FP16: dict[Component, Precision] = {Component.TEXT_ENCODER: Precision.BF16}

# What compiled engines compute in where nothing is asked: Stable Video Diffusion was trained and released in fp16.
COMPILED: dict[Family, Precision] = {Family.LTX_VIDEO: Precision.BF16, Family.SVD: Precision.FP16}
