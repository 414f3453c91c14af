"""Stable Video Diffusion's UNet of true size with random weights: export, compiling for RTX, a step on the CPU.

    python benchmarks/full_size_svd.py FOLDER

FOLDER takes the checkpoint (4.5 GB in fp16) and the bundles. The step is one guided step at 256x384 with 14 frames.
"""

import sys
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
)
from measure import median, run, write
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "layers_per_block": 2,
    "sample_size": 768,
}
CLIP = {
    "hidden_size": 1280, "intermediate_size": 5120, "projection_dim": 1024, "num_hidden_layers": 32,
    "num_attention_heads": 16, "image_size": 224, "patch_size": 14, "hidden_act": "gelu",
}  # fmt: skip
SCHEDULER = {
    "prediction_type": "v_prediction", "timestep_spacing": "leading", "timestep_type": "continuous",
    "use_karras_sigmas": True, "sigma_min": 0.002, "sigma_max": 700.0, "beta_schedule": "scaled_linear",
    "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1,
}  # fmt: skip
STEP = """
import json, time, numpy as np
from vidrt import load_pipeline
picture = np.random.default_rng(0).integers(0, 255, (256, 384, 3), np.uint8)
with load_pipeline({bundle!r}, device="cpu") as pipeline:
    times, begin = [], time.perf_counter()
    for _ in pipeline.denoise(image=picture, height=256, width=384, num_inference_steps=2, seed=0):
        times.append(time.perf_counter() - begin)
        begin = time.perf_counter()
print(json.dumps({{"first": times[0], "step": times[1]}}))
"""


def main(folder: Path) -> None:
    checkpoint = folder / "checkpoint"
    if not (checkpoint / "model_index.json").exists():
        save(checkpoint)
    build = [sys.executable, "-m", "vidrt_export", str(checkpoint), "--quiet"]
    graphs = run([*build, "--out", str(folder / "bundle")])
    print(f"graphs for onnxruntime: {graphs.seconds:.0f} s, {graphs.peak_mb:.0f} MB at the peak")
    sizes = ["--resolution", "256x384:576x1024:576x1024", "--check-minutes", "0"]
    only = ["--backend", "tensorrt-rtx", "--component", "unet"]
    plan = run([*build, "--out", str(folder / "rtx"), *only, *sizes])
    print(f"the UNet for RTX: {plan.seconds:.0f} s, {plan.peak_mb:.0f} MB at the peak")
    steps = [run([sys.executable, "-c", STEP.format(bundle=str(folder / "bundle"))]) for _ in range(2)]
    row = {key: median([step.printed[key] for step in steps]) for key in steps[0].printed}
    row["peak_mb"] = median([step.peak_mb for step in steps])
    print("a guided step at 256x384, 14 frames:", row)
    write("full_size_svd", {"graphs": vars(graphs), "rtx_unet": vars(plan), "guided_step_256x384x14": row})


def save(folder: Path) -> None:
    """Builds each component in fp16 from one seed and saves the pipeline."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float16)
    unet = UNetSpatioTemporalConditionModel(num_attention_heads=(5, 10, 20, 20), num_frames=14)
    vae = AutoencoderKLTemporalDecoder(**VAE)
    image_encoder = CLIPVisionModelWithProjection(CLIPVisionConfig(**CLIP))
    torch.set_default_dtype(torch.float32)
    StableVideoDiffusionPipeline(
        vae=vae, image_encoder=image_encoder, unet=unet, scheduler=EulerDiscreteScheduler(**SCHEDULER),
        feature_extractor=CLIPImageProcessorPil(),
    ).save_pretrained(folder, max_shard_size="5GB")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
