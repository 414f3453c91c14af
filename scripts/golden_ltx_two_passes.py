"""Golden arrays of LTX-Video's official two passes: what each hands to the next, every second step, and the frames.

    git clone https://github.com/Lightricks/LTX-Video
    pip install einops timm
    python scripts/golden_ltx_two_passes.py LTX-Video tests/runtime/pipelines/golden

The official multi-scale pipeline runs by its own configuration files, in fp32; its transformers are as deep as the
versions' and tiny otherwise, like its upscaler and its VAE, with weights made from their names.

`two_passes.npz` has runs without conditions, `two_passes_conditioned.npz` runs with two pictures, whose extra tokens
are in front in every step; blur and H.264 are left out. Given a file's name as a third argument, only that is written.
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
    "0.9.7-distilled": "ltxv-13b-0.9.8-distilled.yaml",
    "0.9.8-2b-distilled": "ltxv-2b-0.9.8-distilled.yaml",
    "0.9.8-13b-dev": "ltxv-13b-0.9.8-dev.yaml",
    "0.9.8-13b-distilled": "ltxv-13b-0.9.8-distilled.yaml",
}


def main() -> None:
    """Writes both files, or the one that is named."""
    import ltx_two_passes

    checkout, out, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    sys.path.insert(0, str(checkout))
    runs: dict[str, dict[str, Any]] = {
        "two_passes.npz": dict.fromkeys(FILES, ()),
        "two_passes_conditioned.npz": ltx_two_passes.CONDITIONS,
    }
    for name in wanted or runs:
        np.savez_compressed(out / name, **_runs(checkout, runs[name]))


def _runs(checkout: Path, conditions: dict[str, Any]) -> dict[str, np.ndarray]:
    """What is recorded of a run of each version with its conditions."""
    arrays: dict[str, np.ndarray] = {}
    for version, items in conditions.items():
        config = yaml.safe_load((checkout / "configs" / FILES[version]).read_text(encoding="utf-8"))
        if version == "0.9.7-distilled":
            del config["second_pass"]["tone_map_compression_ratio"]
        arrays |= {f"{version} {name}": value for name, value in _run(version, config, items).items()}
    return arrays


@torch.no_grad()
def _run(version: str, config: dict[str, Any], items: Any) -> dict[str, np.ndarray]:
    import ltx_sampling
    import ltx_two_passes
    from ltx_video.pipelines.pipeline_ltx_video import ConditioningItem, LTXMultiScalePipeline
    from ltx_video.utils.skip_layer_strategy import SkipLayerStrategy

    pipeline = _pipeline(version)
    found = _recorded(pipeline)
    texts = {name: torch.from_numpy(value) for name, value in ltx_sampling.embeddings().items()}
    masks = {name: torch.from_numpy(value) for name, value in ltx_sampling.masks().items()}
    two_passes = LTXMultiScalePipeline(pipeline, _upsampler())
    given = [ConditioningItem(torch.from_numpy(ltx_two_passes.prepared(i)), i.frame, i.strength) for i in items]
    torch.manual_seed(ltx_sampling.SEED)  # officially, encoders and decoding noise draw from the global generator
    result = two_passes(
        config["downscale_factor"], config["first_pass"], config["second_pass"],
        **ltx_two_passes.SIZE, frame_rate=ltx_two_passes.FPS, skip_layer_strategy=SkipLayerStrategy.AttentionValues,
        negative_prompt=None, prompt_embeds=texts["positive"], negative_prompt_embeds=texts["negative"],
        prompt_attention_mask=masks["positive"], negative_prompt_attention_mask=masks["negative"],
        decode_timestep=config["decode_timestep"], decode_noise_scale=config["decode_noise_scale"],
        stochastic_sampling=config["stochastic_sampling"], vae_per_channel_normalize=True,
        conditioning_items=given or None, image_cond_noise_scale=0.15,
        generator=torch.Generator().manual_seed(ltx_sampling.SEED), output_type="pt", is_video=True,
    )  # fmt: skip
    frames = ltx_two_passes.kept(result.images[0].permute(1, 2, 3, 0).numpy())
    steps = np.stack([kept for kept in found["steps"] if kept.shape == found["steps"][-1].shape])
    return {
        "first": found["first"], "upscaled": found["upscaled"], "steps": steps,
        "frames": (frames * 255).round().astype(np.uint8) if given else frames.astype(np.float32),
    }  # fmt: skip


def _pipeline(version: str) -> Any:
    import ltx_original
    import ltx_sampling
    from golden_ltx_original import CONFIGS
    from ltx_video.models.autoencoders.causal_video_autoencoder import CausalVideoAutoencoder
    from ltx_video.models.transformers.symmetric_patchifier import SymmetricPatchifier
    from ltx_video.models.transformers.transformer3d import Transformer3DModel
    from ltx_video.pipelines.pipeline_ltx_video import LTXVideoPipeline
    from ltx_video.schedulers.rf import RectifiedFlowScheduler

    form = CONFIGS["0.9.5"]
    transformer = Transformer3DModel.from_config({**form["transformer"], **ltx_sampling.transformer(version)})
    _fill(transformer, ltx_sampling.value)
    vae = CausalVideoAutoencoder.from_config(form["vae"])
    _fill(vae, lambda name, shape: ltx_original.value(f"{ltx_original.VAE}{name}", shape))
    stored = ltx_original.tensors("0.9.5")
    for name in ("mean-of-means", "std-of-means"):
        statistics = stored[f"{ltx_original.VAE}per_channel_statistics.{name}"]
        vae.register_buffer(name.replace("-", "_"), torch.from_numpy(statistics))
    return LTXVideoPipeline(
        tokenizer=None, text_encoder=None, vae=vae, transformer=transformer.eval(),
        scheduler=RectifiedFlowScheduler.from_config(form["scheduler"]), patchifier=SymmetricPatchifier(patch_size=1),
        prompt_enhancer_image_caption_model=None, prompt_enhancer_image_caption_processor=None,
        prompt_enhancer_llm_model=None, prompt_enhancer_llm_tokenizer=None,
    )  # fmt: skip


def _upsampler() -> Any:
    import ltx_two_passes
    from ltx_video.models.autoencoders.latent_upsampler import LatentUpsampler

    upsampler = LatentUpsampler(**ltx_two_passes.UPSAMPLER)
    _fill(upsampler, ltx_two_passes.upsampler_value)
    return upsampler


def _fill(module: Any, value: Any) -> None:
    state = {name: torch.from_numpy(value(name, tuple(v.shape))) for name, v in module.state_dict().items()}
    torch.nn.Module.load_state_dict(module.eval(), state, strict=True)


def _recorded(pipeline: Any) -> dict[str, Any]:
    """What fills with both passes' latents before and after each step, and with what lies between the passes."""
    from ltx_video.pipelines import pipeline_ltx_video

    found: dict[str, Any] = {"steps": []}
    step, adain = pipeline.denoising_step, pipeline_ltx_video.adain_filter_latent

    def stepping(latents: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if not found["steps"] or found["steps"][-1].shape != latents[0].shape:
            found["steps"].append(latents[0].numpy().copy())
        result: torch.Tensor = step(latents, *args, **kwargs)
        found["steps"].append(result[0].numpy().copy())
        return result

    def between(latents: torch.Tensor, reference_latents: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = adain(latents=latents, reference_latents=reference_latents)
        found["first"], found["upscaled"] = reference_latents[0].numpy().copy(), result[0].numpy().copy()
        return result

    pipeline.denoising_step, pipeline_ltx_video.adain_filter_latent = stepping, between
    return found


if __name__ == "__main__":
    main()
