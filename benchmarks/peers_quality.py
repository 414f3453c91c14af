"""How far frames are from those of diffusers in fp32: PSNR in dB, for `peers.py`.

python peers_quality.py PROMPTS HEIGHT WIDTH FRAMES STEPS GUIDANCE KIND=HOW=FOLDER ...

Prints a list with the least and the mean of each, or None for diffusers in fp32 itself.
"""

import json
import sys
from typing import Any

import numpy as np

PROMPTS = (
    "a red circle moves to the right",
    "a green triangle moves up and to the left",
    "a blue square grows",
    "a purple circle moves down on a striped background",
)
FPS = 8  # what the embedded model was trained on
Frames = list[np.ndarray]


def theirs(folder: str, dtype: str, requests: list[dict[str, Any]]) -> Frames:
    import torch
    from diffusers import DiffusionPipeline

    pipe = DiffusionPipeline.from_pretrained(folder, torch_dtype=getattr(torch, dtype))
    pipe.set_progress_bar_config(disable=True)
    fixed = {"frame_rate": FPS, "decode_timestep": [0.05], "decode_noise_scale": [0.025], "output_type": "np"}
    return [
        np.asarray(pipe(**request, **fixed, generator=torch.Generator().manual_seed(seed)).frames[0]) * 255
        for seed, request in enumerate(requests)
    ]


def ours(bundle: str, backend: str, requests: list[dict[str, Any]]) -> Frames:
    from vidrt import load_pipeline

    with load_pipeline(bundle, device="cpu", backend=backend, keep_loaded=True) as pipeline:
        return [
            pipeline(**request, seed=seed, fps=FPS, compat="diffusers").frames.astype(np.float64)
            for seed, request in enumerate(requests)
        ]


def _psnr(frames: np.ndarray, oracle: np.ndarray) -> float:
    error = np.square(frames.round() - oracle.round()).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def main(count: str, *words: str) -> None:
    height, width, frames, steps = map(int, words[:4])
    numbers = {"height": height, "width": width, "num_frames": frames, "num_inference_steps": steps}
    requests = [
        {"prompt": prompt, "negative_prompt": "", "guidance_scale": float(words[4]), **numbers}
        for prompt in PROMPTS[: int(count)]
    ]
    asked = [word.split("=", 2) for word in words[5:]]
    checkpoint = next(folder for kind, _, folder in asked if kind == "diffusers")
    oracle, found = theirs(checkpoint, "float32", requests), []
    for kind, how, folder in asked:
        if (kind, how) in (("diffusers", "float32"), ("compiled", "float32"), ("compiled", "bfloat16")):
            found.append(None)
            continue
        made = (ours if kind == "vidrt" else theirs)(folder, how, requests)
        decibels = [_psnr(*pair) for pair in zip(made, oracle, strict=True)]
        found.append({"least": round(min(decibels), 1), "mean": round(sum(decibels) / len(decibels), 1)})
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
