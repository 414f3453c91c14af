"""Golden arrays of Stable Video Diffusion's original code: what its modules are called and what they compute.

    git clone https://github.com/Stability-AI/generative-models
    pip install einops open_clip_torch
    python scripts/golden_svd_original.py generative-models tests/reference/svd/golden

Modules of the true architecture, tiny widths, with weights that `tests/support/svd_original.py` makes from their names:
the names and shapes go to `original.json`, inputs and outputs to `original.npz`.
"""

import json
import sys
import types
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

VAE = {
    "attn_type": "vanilla", "double_z": True, "z_channels": 4, "resolution": 256, "in_channels": 3, "out_ch": 3,
    "ch": 32, "ch_mult": [1, 2], "num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0,
}  # fmt: skip
UNET = {
    "adm_in_channels": 96, "num_classes": "sequential", "use_checkpoint": False, "in_channels": 8, "out_channels": 4,
    "model_channels": 64, "attention_resolutions": [2, 1], "num_res_blocks": 2, "channel_mult": [1, 2, 2],
    "num_head_channels": 64, "use_linear_in_transformer": True, "transformer_depth": 1, "context_dim": 64,
    "spatial_transformer_attn_type": "softmax", "extra_ff_mix_layer": True, "use_spatial_context": True,
    "merge_strategy": "learned_with_images", "video_kernel_size": [3, 1, 1],
}  # fmt: skip
FRAMES = 3


def main() -> None:
    """Writes both files."""
    import svd_original

    checkout, out = Path(sys.argv[1]), Path(sys.argv[2])
    modules = _modules(checkout)
    shapes = {f"{prefix}{name}": list(v.shape) for prefix, m in modules.items() for name, v in m.state_dict().items()}
    for prefix, module in modules.items():
        own = {
            name: torch.from_numpy(svd_original.weight(prefix + name, v.shape))
            for name, v in module.state_dict().items()
        }
        module.load_state_dict(own, strict=True)
        module.eval()
    with torch.no_grad():
        arrays = _run(modules)
    (out / "original.json").write_text(json.dumps(shapes, indent=0))
    np.savez_compressed(out / "original.npz", **{name: value.numpy() for name, value in arrays.items()})


def _modules(checkout: Path) -> dict[str, nn.Module]:
    """The modules of a single file by their prefix in it; sgm's packages without what their `__init__` wants."""
    for name in ("sgm", "sgm.modules", "sgm.modules.autoencoding", "sgm.modules.diffusionmodules"):
        package = types.ModuleType(name)
        package.__path__ = [str(checkout.joinpath(*name.split(".")))]
        sys.modules[name] = package
    from open_clip.transformer import VisionTransformer
    from sgm.modules.autoencoding.temporal_ae import VideoDecoder
    from sgm.modules.diffusionmodules.model import Decoder, Encoder
    from sgm.modules.diffusionmodules.video_model import VideoUNet

    clip = VisionTransformer(
        image_size=28, patch_size=14, width=160, layers=2, heads=2, mlp_ratio=4.0, output_dim=64, act_layer=nn.GELU
    )
    embedder = "conditioner.embedders.3.encoder."
    return {
        "model.diffusion_model.": VideoUNet(**UNET),
        "first_stage_model.encoder.": Encoder(**VAE),
        "first_stage_model.decoder.": VideoDecoder(**VAE, video_kernel_size=[3, 1, 1]),
        "conditioner.embedders.0.open_clip.model.visual.": clip,
        f"{embedder}encoder.": Encoder(**VAE),
        f"{embedder}decoder.": Decoder(**VAE),
        f"{embedder}quant_conv.": nn.Conv2d(8, 8, 1),
        f"{embedder}post_quant_conv.": nn.Conv2d(4, 4, 1),
    }


def _run(modules: dict[str, nn.Module]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    given = {
        "latents": noise(FRAMES, 8, 8, 12), "timestep": torch.tensor(1.25), "context": noise(1, 1, 64),
        "vector": noise(1, 96), "decoded_latents": noise(FRAMES, 4, 8, 12), "image": noise(1, 3, 16, 24),
        "clip_image": noise(2, 3, 28, 28),
    }  # fmt: skip
    embedder = "conditioner.embedders.3.encoder."
    moments = modules[f"{embedder}quant_conv."](modules[f"{embedder}encoder."](given["image"]))
    unet = modules["model.diffusion_model."](
        given["latents"],
        given["timestep"].repeat(FRAMES),
        context=given["context"].repeat(FRAMES, 1, 1),
        y=given["vector"].repeat(FRAMES, 1),
        num_video_frames=FRAMES,
        image_only_indicator=torch.zeros(1, FRAMES),
    )
    return {
        **given,
        "unet": unet,
        "encoded": moments.chunk(2, dim=1)[0],
        "decoded": modules["first_stage_model.decoder."](given["decoded_latents"], timesteps=FRAMES),
        "embedding": modules["conditioner.embedders.0.open_clip.model.visual."](given["clip_image"]),
    }


if __name__ == "__main__":
    main()
