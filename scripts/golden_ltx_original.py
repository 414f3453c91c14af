"""Golden arrays of LTX-Video's official code: what its modules are called and what they compute.

    git clone https://github.com/Lightricks/LTX-Video
    pip install einops timm
    python scripts/golden_ltx_original.py LTX-Video tests/reference/ltx_video/golden

Modules with the block lists of the published files and tiny widths, with weights that `tests/support/ltx_original.py`
makes from their names: configurations, names and shapes go to `original.json`, outputs to `original.npz`. The noise
that 0.9.1's decoder injects is drawn after `torch.manual_seed(7)`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

SEED, TIMESTEP = 7, 0.05
TRANSFORMER = {
    "_class_name": "Transformer3DModel", "activation_fn": "gelu-approximate", "attention_bias": True,
    "attention_head_dim": 4, "attention_type": "default", "caption_channels": 16, "cross_attention_dim": 128,
    "double_self_attention": False, "dropout": 0.0, "in_channels": 8, "norm_elementwise_affine": False,
    "norm_eps": 1e-06, "norm_num_groups": 32, "num_attention_heads": 32, "num_embeds_ada_norm": 1000, "num_layers": 2,
    "num_vector_embeds": None, "only_cross_attention": False, "out_channels": 8, "upcast_attention": False,
    "use_linear_projection": False, "qk_norm": "rms_norm", "standardization_norm": "rms_norm",
    "positional_embedding_type": "rope", "positional_embedding_theta": 10000.0,
    "positional_embedding_max_pos": [20, 2048, 2048], "timestep_scale_multiplier": 1000,
}  # fmt: skip
VAE = {
    "_class_name": "CausalVideoAutoencoder", "dims": 3, "in_channels": 3, "out_channels": 3, "latent_channels": 8,
    "scaling_factor": 1.0, "norm_layer": "pixel_norm", "patch_size": 4, "latent_log_var": "uniform",
    "use_quant_conv": False, "causal_decoder": False, "encoder_base_channels": 8, "decoder_base_channels": 8,
}  # fmt: skip
PLAIN = [
    ["res_x", 4], ["compress_all", 1], ["res_x_y", 1], ["res_x", 3], ["compress_all", 1], ["res_x_y", 1],
    ["res_x", 3], ["compress_all", 1], ["res_x", 3], ["res_x", 4],
]  # fmt: skip
RAISING = ["compress_all", {"residual": True, "multiplier": 2}]


def _conditioned(*layers: int, inject: bool) -> list[Any]:
    last = len(layers) - 1
    blocks = [
        ["res_x", {"num_layers": count, "inject_noise": inject and number < last}]
        for number, count in enumerate(layers)
    ]
    return [part for block in blocks[:-1] for part in (block, RAISING)] + blocks[-1:]


BOXES = [
    ["res_x", {"num_layers": 4}], ["compress_space_res", {"multiplier": 2}],
    ["res_x", {"num_layers": 6}], ["compress_time_res", {"multiplier": 2}],
    ["res_x", {"num_layers": 6}], ["compress_all_res", {"multiplier": 2}],
    ["res_x", {"num_layers": 2}], ["compress_all_res", {"multiplier": 2}],
    ["res_x", {"num_layers": 2}],
]  # fmt: skip
SHIFTED = {
    "_class_name": "RectifiedFlowScheduler", "num_train_timesteps": 1000, "shifting": "SD3", "base_resolution": None,
    "target_shift_terminal": 0.1,
}  # fmt: skip
QUADRATIC = {"_class_name": "RectifiedFlowScheduler", "num_train_timesteps": 1000, "sampler": "LinearQuadratic"}
CONFIGS: dict[str, dict[str, Any]] = {
    "0.9.0": {"transformer": TRANSFORMER, "vae": {**VAE, "blocks": PLAIN}, "scheduler": SHIFTED},
    "0.9.1": {
        "transformer": TRANSFORMER,
        "vae": {
            **VAE, "encoder_blocks": PLAIN, "decoder_blocks": _conditioned(5, 6, 7, 8, inject=True),
            "timestep_conditioning": True,
        },
        "scheduler": SHIFTED,
    },
    "0.9.5": {
        "transformer": {**TRANSFORMER, "causal_temporal_positioning": True},
        "vae": {
            **VAE, "encoder_blocks": BOXES, "decoder_blocks": _conditioned(5, 5, 5, 5, inject=False),
            "timestep_conditioning": True,
        },
        "scheduler": QUADRATIC,
    },
}  # fmt: skip
# Schedulers that metadata may describe, each run with so many steps and tokens.
SCHEDULERS = [
    SHIFTED,
    QUADRATIC,
    {"sampler": "Uniform"},
    {"sampler": "Uniform", "shifting": "SD3"},
    {"sampler": "LinearQuadratic", "shifting": "SD3", "target_shift_terminal": 0.1},
    {"sampler": "Constant", "shift": 1.5},
]
STEPS, TOKENS = (8, 7), (480, 4992)


def main() -> None:
    """Writes both files."""
    sys.path.insert(0, sys.argv[1])
    out = Path(sys.argv[2])
    found: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for form, config in CONFIGS.items():
        shapes, results = _run(config)
        found[form] = {"config": config, "shapes": shapes}
        arrays |= {f"{form} {name}": result.numpy() for name, result in results.items()}
    found["schedules"] = [_schedule(config, *pair) for config in SCHEDULERS for pair in zip(STEPS, TOKENS, strict=True)]
    (out / "original.json").write_text(json.dumps(found, indent=0), encoding="utf-8")
    np.savez_compressed(out / "original.npz", **arrays)


@torch.no_grad()
def _run(config: dict[str, Any]) -> tuple[dict[str, list[int]], dict[str, torch.Tensor]]:
    import ltx_original
    from ltx_video.models.autoencoders.causal_video_autoencoder import CausalVideoAutoencoder
    from ltx_video.models.transformers.transformer3d import Transformer3DModel

    transformer = Transformer3DModel.from_config(config["transformer"])
    vae = CausalVideoAutoencoder.from_config(config["vae"])
    shapes = {**_filled(ltx_original.TRANSFORMER, transformer), **_filled(ltx_original.VAE, vae)}
    given = {name: torch.from_numpy(value) for name, value in ltx_original.given().items()}
    velocity = transformer(
        given["latents"],
        given["coordinates"],
        encoder_hidden_states=given["context"],
        timestep=torch.tensor([[0.7]]),
        encoder_attention_mask=torch.ones(1, given["context"].shape[1]),
    ).sample
    timestep = torch.tensor([TIMESTEP]) if config["vae"].get("timestep_conditioning") else None
    torch.manual_seed(SEED)
    decoded = vae.decoder(given["decoded"], target_shape=given["frames"].shape, timestep=timestep)
    return shapes, {"velocity": velocity, "decoded": decoded, "moments": vae.encoder(given["frames"])}


def _filled(prefix: str, module: nn.Module) -> dict[str, list[int]]:
    """Fills a module with the weights of its names in a single file; returns their shapes."""
    import ltx_original

    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    own = {name: torch.from_numpy(ltx_original.value(prefix + name, shape)) for name, shape in shapes.items()}
    nn.Module.load_state_dict(module.eval(), own, strict=True)
    return {prefix + name: list(shape) for name, shape in shapes.items()}


def _schedule(config: dict[str, Any], steps: int, tokens: int) -> dict[str, Any]:
    from ltx_video.schedulers.rf import RectifiedFlowScheduler

    scheduler = RectifiedFlowScheduler.from_config(config)
    scheduler.set_timesteps(steps, samples_shape=torch.Size([1, tokens, 8]))
    return {"config": config, "steps": steps, "tokens": tokens, "sigmas": scheduler.timesteps.tolist()}


if __name__ == "__main__":
    main()
