"""Golden arrays of LTX-Video's official sampling: each version's noise levels, and its latents after every step.

    git clone https://github.com/Lightricks/LTX-Video
    pip install einops timm
    python scripts/golden_ltx_sampling.py LTX-Video tests/runtime/pipelines/golden

The official pipeline denoises with given embeddings by the settings of its own configuration files; the
transformers are as deep as the versions' and tiny otherwise, with weights made from their names. One pass, or the
first of two.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "scripts")]

FILES = {
    "0.9.0": "ltxv-2b-0.9.yaml",
    "0.9.1": "ltxv-2b-0.9.1.yaml",
    "0.9.5": "ltxv-2b-0.9.5.yaml",
    "0.9.6-dev": "ltxv-2b-0.9.6-dev.yaml",
    "0.9.6-distilled": "ltxv-2b-0.9.6-distilled.yaml",
    "0.9.8-2b-distilled": "ltxv-2b-0.9.8-distilled.yaml",
    "0.9.8-13b-dev": "ltxv-13b-0.9.8-dev.yaml",
    "0.9.8-13b-distilled": "ltxv-13b-0.9.8-distilled.yaml",
}
# Each mode of spatio-temporal guidance once more, beside the one that the files have.
MODES = ("attention_skip", "transformer_block", "residual")
SIZE = {"height": 64, "width": 96, "num_frames": 9, "frame_rate": 24}
KEYS = (
    "guidance_scale", "stg_scale", "rescaling_scale", "guidance_timesteps", "skip_block_list", "num_inference_steps",
    "skip_final_inference_steps", "cfg_star_rescale", "timesteps", "stochastic_sampling",
)  # fmt: skip


def main() -> None:
    """Writes `sampling.npz`."""
    checkout, out = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, str(checkout))
    arrays: dict[str, np.ndarray] = {}
    for version, file in FILES.items():
        config = yaml.safe_load((checkout / "configs" / file).read_text(encoding="utf-8"))
        modes = (config["stg_mode"], *MODES) if version == "0.9.5" else (config["stg_mode"],)
        for mode in modes:
            arrays[f"{version} {mode}"] = _run(version, config, mode)
    np.savez_compressed(out / "sampling.npz", **arrays)


@torch.no_grad()
def _run(version: str, config: dict[str, Any], mode: str) -> np.ndarray:
    """The latents before the first step and after each: (steps + 1, tokens, C)."""
    import ltx_sampling
    from golden_ltx_original import CONFIGS
    from ltx_video.models.autoencoders.causal_video_autoencoder import CausalVideoAutoencoder
    from ltx_video.models.transformers.symmetric_patchifier import SymmetricPatchifier
    from ltx_video.models.transformers.transformer3d import Transformer3DModel
    from ltx_video.pipelines.pipeline_ltx_video import LTXVideoPipeline
    from ltx_video.schedulers.rf import RectifiedFlowScheduler
    from ltx_video.utils.skip_layer_strategy import SkipLayerStrategy

    form = CONFIGS[version if version in CONFIGS else "0.9.5"]
    transformer = Transformer3DModel.from_config({**form["transformer"], **ltx_sampling.transformer(version)})
    transformer.load_state_dict(
        {name: torch.from_numpy(ltx_sampling.value(name, v.shape)) for name, v in transformer.state_dict().items()}
    )
    pipeline = LTXVideoPipeline(
        tokenizer=None, text_encoder=None, vae=CausalVideoAutoencoder.from_config(form["vae"]),
        transformer=transformer.eval(), scheduler=RectifiedFlowScheduler.from_config(form["scheduler"]),
        patchifier=SymmetricPatchifier(patch_size=1), prompt_enhancer_image_caption_model=None,
        prompt_enhancer_image_caption_processor=None, prompt_enhancer_llm_model=None,
        prompt_enhancer_llm_tokenizer=None,
    )  # fmt: skip
    steps = _recorded(pipeline)
    texts = {name: torch.from_numpy(value) for name, value in ltx_sampling.embeddings().items()}
    masks = {name: torch.from_numpy(value) for name, value in ltx_sampling.masks().items()}
    settings = {**config, **config.get("first_pass", {})}
    pipeline(
        **SIZE, **{key: settings[key] for key in KEYS if key in settings},
        skip_layer_strategy=getattr(SkipLayerStrategy, "".join(word.capitalize() for word in mode.split("_"))),
        negative_prompt=None, prompt_embeds=texts["positive"], negative_prompt_embeds=texts["negative"],
        prompt_attention_mask=masks["positive"], negative_prompt_attention_mask=masks["negative"],
        generator=torch.Generator().manual_seed(ltx_sampling.SEED), output_type="latent", is_video=True,
    )  # fmt: skip
    return np.stack(steps)


def _recorded(pipeline: Any) -> list[np.ndarray]:
    """A list that fills with the latents before and after each step."""
    import ltx_sampling

    kept: list[np.ndarray] = []
    step = pipeline.denoising_step

    def recording(latents: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if not kept:
            kept.append(latents[0].numpy().copy())
            torch.manual_seed(ltx_sampling.SEED)  # officially, fresh noise comes from the global generator
        result: torch.Tensor = step(latents, *args, **kwargs)
        kept.append(result[0].numpy().copy())
        return result

    pipeline.denoising_step = recording
    return kept


if __name__ == "__main__":
    main()
