"""The demo model's sizes and how it is trained."""

from typing import Any

from training.loop import Phase

FRAMES, SIDE, FPS = 17, 128, 8.0
STEPS = 20
LATENT_CHANNELS = 48
SEED = 1

VAE: dict[str, Any] = {
    "latent_channels": LATENT_CHANNELS,
    "block_out_channels": (48, 48, 96),
    "down_block_types": ("LTXVideo095DownBlock3D",) * 2,
    "layers_per_block": (1, 2, 1),
    "spatio_temporal_scaling": (True, True),
    "downsample_type": ("spatiotemporal",) * 2,
    "decoder_block_out_channels": (48, 96),
    "decoder_layers_per_block": (2, 1, 1),
    "decoder_spatio_temporal_scaling": (True, True),
    "decoder_inject_noise": (False,) * 3,
    "upsample_residual": (True, True),
    "upsample_factor": (1, 2),
    "timestep_conditioning": True,
    "patch_size": 8,
    "spatial_compression_ratio": 32,
    "temporal_compression_ratio": 4,
}
TRANSFORMER: dict[str, Any] = {
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "num_attention_heads": 5,
    "attention_head_dim": 32,
    "cross_attention_dim": 160,
    "num_layers": 6,
    "caption_channels": 128,
}
TEXT_ENCODER: dict[str, Any] = {
    "d_model": 128,
    "d_kv": 32,
    "d_ff": 256,
    "num_layers": 2,
    "num_heads": 4,
    "feed_forward_proj": "gated-gelu",
    "dropout_rate": 0.0,
}

VAE_PHASE = Phase(name="vae", steps=1700, rate=2e-3, decay=0.99, orthogonal=True)
DECODER_PHASE = Phase(name="decoder", steps=1100, rate=1e-3, decay=0.99, orthogonal=True)
DIFFUSION_PHASE = Phase(name="diffusion", steps=2200, rate=2e-3, decay=0.995, orthogonal=True)
VAE_CROPS, VAE_WHOLE = (9, 96, 2), (17, 128, 1)  # frames, their side, and how many clips a step
VAE_CROPPED = 0.95  # of the steps, before whole frames come
CACHED_CLIPS, DIFFUSION_BATCH = 2048, 32
CAPTION_DROPOUT = 0.12
MOST_DECODING_NOISE = 0.1
