"""What the step cache saves and what it costs, on the embedded LTX-Video along the schedules of three versions.

python benchmarks/step_cache.py

For each threshold: how many of the steps are computed, and the PSNR of the frames against the same run without the
cache, prompt by prompt; beside it runs of fewer steps. The model is tiny and of fewer blocks than spatio-temporal
guidance names, so guidance is classifier-free here.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from measure import median, write
from vidrt.pipelines.load import load_pipeline
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle

VERSIONS = {"0.9.0": (15, 25), "0.9.5": (15, 25), "0.9.7-dev": (15, 22)}  # and the fewer steps to compare with
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3)
PROMPTS = (
    "a red circle moves to the right",
    "a green triangle moves up and to the left",
    "a blue square grows",
    "a purple circle moves down on a striped background",
)
STEPS = {"0.9.0": 40, "0.9.5": 40, "0.9.7-dev": 30}


def main() -> None:
    """Measures, prints a table for each version, and writes it."""
    with tempfile.TemporaryDirectory() as work:
        bundle = _any_version(Path(work) / "bundle")
        with load_pipeline(bundle, device="cpu", keep_loaded=True) as pipeline:
            figures = {version: _measured(pipeline, version) for version in VERSIONS}
    write("step_cache", figures)


def _any_version(folder: Path) -> Path:
    """The embedded bundle without the word on which versions its files may be."""
    shutil.copytree(find_bundle(DEFAULT_BUNDLE), folder)
    path = folder / "bundle.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["settings"]["versions"]
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def _measured(pipeline, version: str) -> list[dict]:
    def made(**options):
        return [
            pipeline(prompt=prompt, seed=seed, ltxv_version=version, **options) for seed, prompt in enumerate(PROMPTS)
        ]

    whole = made(num_inference_steps=STEPS[version])
    print(version)
    rows = [_row({"steps": steps}, whole, made(num_inference_steps=steps)) for steps in VERSIONS[version]]
    for threshold in THRESHOLDS:
        videos = made(num_inference_steps=STEPS[version], step_cache=threshold)
        done = [video.record["cached_passes"][0] for video in videos]
        about = {
            "threshold": threshold,
            "steps": done[0]["steps"],
            "computed": [part["computed"] for part in done],
            "guess_error": round(median([part["guess_error_mean"] or 0 for part in done]), 4),
        }
        rows.append(_row(about, whole, videos))
    return rows


def _row(about: dict, whole: list, videos: list) -> dict:
    row = {**about, "psnr": [round(float(_psnr(a.frames, b.frames)), 1) for a, b in zip(videos, whole, strict=True)]}
    print(f"  {row}", flush=True)
    return row


def _psnr(ours: np.ndarray, theirs: np.ndarray) -> float:
    error = np.square(ours.astype(np.float64) - theirs).mean()
    return 10 * np.log10(255**2 / error) if error else np.inf


if __name__ == "__main__":
    main()
