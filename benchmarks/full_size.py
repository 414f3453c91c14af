"""The true 2B transformer and VAE: building, one denoising step, decoding, and the memory they take.

python benchmarks/full_size.py CHECKPOINT

CHECKPOINT is what full_size_checkpoint.py saved. Steps are at 256x384, 25 frames, without guidance; vidrt plays the
bf16 weights with fp32 maths, diffusers runs in fp32.
"""

import sys
import tempfile
from pathlib import Path

from measure import Measured, in_turn, median, run, write

# bfloat16 too where the CPU has instructions for it; without them torch takes several times as long as in fp32
PEERS = ("float32",)
SHAPE = "height=256, width=384, num_frames=25"
# Embeddings of 30 tokens stand for the prompt: the benchmark's T5 has 2 of 24 layers.
OURS_STEP = """
import json, time, numpy as np
from vidrt import PromptEmbeddings, load_pipeline
rng = np.random.default_rng(0)
context = PromptEmbeddings(positive=rng.standard_normal((1, 30, 4096), np.float32))
with load_pipeline({bundle!r}, device="cpu") as pipeline:
    times, begin = [], time.perf_counter()
    for _ in pipeline.denoise(embeddings=context, {shape}, num_inference_steps=2, guidance_scale=1.0, seed=0):
        times.append(time.perf_counter() - begin)
        begin = time.perf_counter()
print(json.dumps({{"first": times[0], "step": times[1]}}))
"""
THEIRS_STEP = """
import json, time, torch
from diffusers import LTXVideoTransformer3DModel
begin = time.perf_counter()
model = LTXVideoTransformer3DModel.from_pretrained({checkpoint!r}, subfolder="transformer", torch_dtype=torch.{dtype})
latents, context = torch.randn(1, 384, 128, dtype=torch.{dtype}), torch.randn(1, 30, 4096, dtype=torch.{dtype})
mask, timestep = torch.ones(1, 30, dtype=torch.bool), torch.tensor([900.0])
times = []
for _ in range(2):
    with torch.no_grad():
        model(latents, context, timestep, mask, num_frames=4, height=8, width=12,
              rope_interpolation_scale=(8 / 25, 32, 32))
    times.append(time.perf_counter() - begin)
    begin = time.perf_counter()
print(json.dumps({{"first": times[0], "step": times[1]}}))
"""
# Both halves of guidance in one batch, or one after the other: prompts of one length, so that neither needs a mask.
PAIR = """
import json, time, numpy as np
from vidrt import load_pipeline
rng = np.random.default_rng(0)
table = np.ones((384, 1024), np.float32)
def arrays(batch):
    timestep = np.full((batch, 1), 900, np.float32)
    return dict(latents=rng.standard_normal((batch, 384, 128), np.float32), rope_cos=table, rope_sin=table,
                context=rng.standard_normal((batch, 30, 4096), np.float32), timestep=timestep)
with load_pipeline({bundle!r}, device="cpu") as pipeline:
    transformer = pipeline.components["transformer"]
    with transformer.held():
        transformer(**arrays(1))
        begin = time.perf_counter()
        for _ in range({calls}):
            transformer(**arrays({batch}))
        seconds = time.perf_counter() - begin
print(json.dumps({{"guided_step": seconds}}))
"""
OURS_DECODE = """
import json, time, numpy as np
from vidrt import load_pipeline
begin = time.perf_counter()
with load_pipeline({bundle!r}, device="cpu") as pipeline:
    pipeline.components["vae_decoder"](np.random.default_rng(0).standard_normal((1, 128, 4, 8, 12), np.float32))
print(json.dumps({{"decode": time.perf_counter() - begin}}))
"""
THEIRS_DECODE = """
import json, time, torch
from diffusers import AutoencoderKLLTXVideo
begin = time.perf_counter()
vae = AutoencoderKLLTXVideo.from_pretrained({checkpoint!r}, subfolder="vae", torch_dtype=torch.{dtype})
with torch.no_grad():
    vae.decode(torch.randn(1, 128, 4, 8, 12, dtype=torch.{dtype}), torch.tensor([0.05], dtype=torch.{dtype}))
print(json.dumps({{"decode": time.perf_counter() - begin}}))
"""


def main(checkpoint: str) -> None:
    """Builds the bundle, then measures both sides in turn."""
    with tempfile.TemporaryDirectory() as work:
        bundle = str(Path(work, "bundle"))
        built = run([sys.executable, "-m", "vidrt_export", checkpoint, "--out", bundle, "--quiet"])
        print(f"build-engines: {built.seconds:.0f} s, {built.peak_mb:.0f} MB at the peak")
        steps = in_turn(_commands(OURS_STEP, THEIRS_STEP, bundle, checkpoint), runs=2, warmups=0)
        decodes = in_turn(_commands(OURS_DECODE, THEIRS_DECODE, bundle, checkpoint), runs=2, warmups=0)
        pairs = in_turn(_pairs(bundle), runs=2, warmups=0)
        video = run(_generate(bundle, str(Path(work, "output"))))
    print(f"vidrt generate, 2 guided steps: {video.seconds:.0f} s, {video.peak_mb:.0f} MB at the peak")
    figures = {
        "build": {"seconds": built.seconds, "peak_mb": built.peak_mb},
        "generate_2_guided_steps": {"seconds": video.seconds, "peak_mb": video.peak_mb},
        "step_256x384x25": {name: _row(runs) for name, runs in steps.items()},
        "decode_256x384x25": {name: _row(runs) for name, runs in decodes.items()},
        "guided_step_256x384x25": {name: _row(runs) for name, runs in pairs.items()},
    }
    for title in ("step_256x384x25", "decode_256x384x25", "guided_step_256x384x25"):
        print(title)
        for name, row in figures[title].items():
            print(f"  {name:16}", "  ".join(f"{key} {value:.1f}" for key, value in row.items()))
    write("full_size", figures)


def _generate(bundle: str, output: str) -> list[str]:
    numbers = {"height": 256, "width": 384, "num-frames": 25, "steps": 2, "guidance-scale": 3, "seed": 0}
    request = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "vidrt", "generate", "--bundle", bundle, "--output-dir", output]
    return [*command, "--prompt", "a red circle", *request, "--mp4", "--quiet"]


def _commands(ours: str, theirs: str, bundle: str, checkpoint: str) -> dict[str, list[str]]:
    peers = {f"diffusers {d}": theirs.format(checkpoint=checkpoint, dtype=d) for d in PEERS}
    scripts = {"vidrt": ours.format(bundle=bundle, shape=SHAPE), **peers}
    return {name: [sys.executable, "-c", script] for name, script in scripts.items()}


def _pairs(bundle: str) -> dict[str, list[str]]:
    ways = {"one batch of two": (1, 2), "two calls": (2, 1)}
    return {
        name: [sys.executable, "-c", PAIR.format(bundle=bundle, calls=calls, batch=batch)]
        for name, (calls, batch) in ways.items()
    }


def _row(runs: list[Measured]) -> dict[str, float]:
    keys = runs[0].printed
    return {
        **{key: median([r.printed[key] for r in runs]) for key in keys},
        "peak_mb": median([r.peak_mb for r in runs]),
    }


if __name__ == "__main__":
    main(sys.argv[1])
