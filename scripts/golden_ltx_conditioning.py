"""Golden arrays of LTX-Video's official conditioning: prepared pictures, where runs begin, and each of their steps.

    git clone https://github.com/Lightricks/LTX-Video
    pip install einops timm torchvision
    python scripts/golden_ltx_conditioning.py LTX-Video tests/runtime/conditioning/golden

The official pipeline runs in fp32, with conditions and given embeddings, on the configurations of
`golden_ltx_original.py` with weights made from names. Of a run `runs.npz` holds the latents before the first step and
after each, the coordinates, and the strengths; extra tokens are in front. `pictures.npz` holds pictures as the official
code prepares them: blurred, then compressed, then resized; and which libavcodec compressed them.
"""

import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "scripts")]


def main() -> None:
    """Writes both files."""
    import ltx_conditioning

    checkout, out = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, str(checkout))
    out.mkdir(parents=True, exist_ok=True)
    runs: dict[str, np.ndarray] = {}
    for name, case in ltx_conditioning.CASES.items():
        runs |= {f"{name}, {what}": values for what, values in _run(case).items()}
    np.savez_compressed(out / "runs.npz", **runs)
    pictures: dict[str, np.ndarray] = {}
    for name in ltx_conditioning.PICTURES:
        pictures |= {f"{name}, {what}": values for what, values in _prepared(name).items()}
    pictures["libavcodec"] = np.array(av.library_versions["libavcodec"])
    np.savez_compressed(out / "pictures.npz", **pictures)


@torch.no_grad()
def _run(case: Any) -> dict[str, np.ndarray]:
    import ltx_conditioning
    from ltx_video.pipelines.pipeline_ltx_video import ConditioningItem
    from ltx_video.utils.skip_layer_strategy import SkipLayerStrategy

    pipeline = _pipeline(case.form)
    kept = _recorded(pipeline)
    texts = {name: torch.from_numpy(value) for name, value in ltx_conditioning.embeddings().items()}
    mask = torch.ones(1, ltx_conditioning.TOKENS)
    items = [
        ConditioningItem(torch.from_numpy(ltx_conditioning.clip(item)), item.frame, item.strength)
        for item in case.items
    ]
    torch.manual_seed(ltx_conditioning.SEED)  # the encoder and stochastic steps draw from the global generator
    pipeline(
        **ltx_conditioning.SIZE, frame_rate=ltx_conditioning.FPS, num_inference_steps=ltx_conditioning.STEPS,
        guidance_scale=ltx_conditioning.GUIDANCE, stg_scale=case.stg_scale, rescaling_scale=case.rescaling_scale,
        cfg_star_rescale=case.cfg_star, skip_block_list=list(ltx_conditioning.BLOCKS),
        skip_layer_strategy=SkipLayerStrategy.AttentionValues,
        stochastic_sampling=case.version == "0.9.6-distilled", conditioning_items=items, image_cond_noise_scale=0.15,
        negative_prompt=None, prompt_embeds=texts["positive"], negative_prompt_embeds=texts["negative"],
        prompt_attention_mask=mask, negative_prompt_attention_mask=mask, vae_per_channel_normalize=True,
        generator=torch.Generator().manual_seed(ltx_conditioning.SEED), output_type="latent", is_video=True,
    )  # fmt: skip
    return {what: np.stack(values) if what == "steps" else values for what, values in kept.items()}


def _pipeline(form: str) -> Any:
    import ltx_conditioning
    import ltx_original
    from golden_ltx_original import CONFIGS, _filled
    from ltx_video.models.autoencoders.causal_video_autoencoder import CausalVideoAutoencoder
    from ltx_video.models.transformers.symmetric_patchifier import SymmetricPatchifier
    from ltx_video.models.transformers.transformer3d import Transformer3DModel
    from ltx_video.pipelines.pipeline_ltx_video import LTXVideoPipeline
    from ltx_video.schedulers.rf import RectifiedFlowScheduler

    config = CONFIGS[form]
    transformer = Transformer3DModel.from_config(config["transformer"])
    vae = CausalVideoAutoencoder.from_config(config["vae"])
    _filled(ltx_original.TRANSFORMER, transformer)
    _filled(ltx_original.VAE, vae)
    for name, values in ltx_conditioning.statistics().items():
        vae.register_buffer(name, torch.from_numpy(values))
    return LTXVideoPipeline(
        tokenizer=None, text_encoder=None, vae=vae, transformer=transformer,
        scheduler=RectifiedFlowScheduler.from_config(config["scheduler"]),
        patchifier=SymmetricPatchifier(patch_size=1), prompt_enhancer_image_caption_model=None,
        prompt_enhancer_image_caption_processor=None, prompt_enhancer_llm_model=None,
        prompt_enhancer_llm_tokenizer=None,
    )  # fmt: skip


def _recorded(pipeline: Any) -> dict[str, Any]:
    """What fills while the pipeline runs: the latents before and after each step, coordinates and strengths."""
    kept: dict[str, Any] = {"steps": []}
    prepare, step = pipeline.prepare_conditioning, pipeline.denoising_step

    def preparing(*args: Any, **kwargs: Any) -> Any:
        latents, coordinates, mask, extra = prepare(*args, **kwargs)
        kept["coordinates"] = coordinates[0].T.float().numpy()  # frames, not seconds yet
        kept["mask"] = mask[0].numpy().copy()
        kept["extra"] = np.array(extra)
        kept["steps"].append(latents[0].numpy().copy())
        return latents, coordinates, mask, extra

    def stepping(*args: Any, **kwargs: Any) -> torch.Tensor:
        result: torch.Tensor = step(*args, **kwargs)
        kept["steps"].append(result[0].numpy().copy())
        return result

    pipeline.prepare_conditioning, pipeline.denoising_step = preparing, stepping
    return kept


def _prepared(name: str) -> dict[str, np.ndarray]:
    """A picture as bytes before H.264 and after it, and as it is resized then."""
    import ltx_conditioning
    from ltx_video import inference
    from ltx_video.pipelines.pipeline_ltx_video import LTXVideoPipeline
    from PIL import Image

    kept: dict[str, np.ndarray] = {}
    compress = inference.crf_compressor.compress

    def compressing(image: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = compress(image)
        kept["compressed"] = (result * 255).round().to(torch.uint8).numpy()
        kept["blurred"] = (image * 255.0).byte().numpy()
        return result

    size = ltx_conditioning.PICTURES[name][1]
    inference.crf_compressor.compress = compressing
    image = Image.fromarray(ltx_conditioning.picture(name))
    frames = inference.load_image_to_tensor_with_resize_and_crop(image, *size, just_crop=True)
    inference.crf_compressor.compress = compress
    return {**kept, "resized": LTXVideoPipeline.resize_tensor(frames, *size)[0, :, 0].numpy()}


if __name__ == "__main__":
    main()
