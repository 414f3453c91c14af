"""The demo model's sizes and how it is trained."""

from typing import Any

from training.loop import Phase

FRAMES, SIDE, FPS = 14, 128, 7.0
LATENT_CHANNELS = 16
EMBEDDING = 64  # of the image: the UNet's context
SEED = 2

# Group norms have 32 groups: of 32 channels each would lose its mean over the picture, and with it plain colours.
VAE: dict[str, Any] = {
    "block_out_channels": (64, 32, 32, 64, 64),
    "down_block_types": ("DownEncoderBlock2D",) * 5,
    "layers_per_block": 2,
    "latent_channels": LATENT_CHANNELS,
    "sample_size": SIDE,
    "scaling_factor": 1.0,
    "force_upcast": False,
}

UNET: dict[str, Any] = {
    "in_channels": 2 * LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "block_out_channels": (64, 64),
    "down_block_types": ("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
    "up_block_types": ("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
    "layers_per_block": 1,
    "num_attention_heads": (2, 2),
    "cross_attention_dim": EMBEDDING,
    "addition_time_embed_dim": 32,
    "projection_class_embeddings_input_dim": 96,
    "num_frames": FRAMES,
    "sample_size": SIDE // 16,
}
IMAGE_ENCODER: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "projection_dim": EMBEDDING,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 224,
    "patch_size": 16,
    "hidden_act": "gelu",
}
# Stable Video Diffusion's own, but for the highest noise level: of 700, half of the steps would go to what is noise.
SCHEDULER: dict[str, Any] = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "sigma_max": 80.0,
    "sigma_min": 0.002,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "trained_betas": None,
    "use_karras_sigmas": True,
}

VAE_PHASE = Phase(name="vae", steps=1265, rate=2e-3, warmup=50, decay=0.99, orthogonal=True)
DECODER_PHASE = Phase(name="decoder", steps=300, rate=5e-4, warmup=20, decay=0.98, orthogonal=True)
VAE_BATCH, VAE_CROP = 4, 32
# A whole frame costs as much as 16 crops: rare at first, and less so at last.
WHOLE_EVERY, WHOLE_OFTEN_EVERY, WHOLE_OFTEN_FROM = 8, 4, 700
DECODER_FRAMES, LATENT_NOISE = 2, 0.05

# Ways of shapes are encoded once: twice as many frames as a clip has, for clips of full and half the speed.
WAYS, WAY_FRAMES = 128, 2 * FRAMES - 1
DIFFUSION_PHASE = Phase(name="diffusion", steps=1800, rate=2e-3, warmup=100, decay=0.997, orthogonal=True)
DIFFUSION_BATCH = 4
PICTURE_DROPOUT = 0.12
# How much the picture's latents move for each unit of noise on the picture: six times what was measured, so that the
# UNet does not learn the few pictures by heart.
AUGMENTED_LATENTS = 2.0
