"""One run of `peers.py`: from the start of the process to frames in bytes; prints what it measured as JSON.

python benchmarks/peers_one.py diffusers|compiled|vidrt CHECKPOINT|BUNDLE DTYPE HEIGHT WIDTH FRAMES
"""

import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

BEGIN = time.perf_counter()
STEPS, GUIDANCE, PROMPT, NEGATIVE = 4, 3.0, "a red circle moves to the right", "worst quality, blurry"


class Clock:
    """Marks, in seconds since the process began."""

    def __init__(self) -> None:
        self.marks: dict[str, list[float]] = {}

    def mark(self, name: str) -> None:
        self.marks.setdefault(name, []).append(time.perf_counter() - BEGIN)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.mark(f"{name} begins")
            result = function(*args, **kwargs)
            self.mark(f"{name} ends")
            return result

        return timed

    def figures(self) -> dict[str, float]:
        steps = self.marks["step ends"]
        between = [after - before for before, after in pairwise(steps)]
        text = self.marks["text ends"][-1] - self.marks["text begins"][0]
        decode = self.marks["end"][0] - self.marks["decode begins"][0]
        return {"first_step": steps[0], "text": text, "step": median(between), "decode": decode,
                "total": self.marks["end"][0]}  # fmt: skip


def theirs(clock: Clock, kind: str, folder: str, dtype: str, size: tuple[int, int, int]) -> None:
    import torch
    from diffusers import LTXPipeline

    pipe = LTXPipeline.from_pretrained(folder, torch_dtype=getattr(torch, dtype))
    pipe.set_progress_bar_config(disable=True)
    if kind == "compiled":
        pipe.transformer = torch.compile(pipe.transformer)
    pipe.encode_prompt = clock.around("text", pipe.encode_prompt)
    pipe.vae.decode = clock.around("decode", pipe.vae.decode)
    height, width, frames = size
    pipe(
        prompt=PROMPT, negative_prompt=NEGATIVE, height=height, width=width, num_frames=frames,
        num_inference_steps=STEPS, guidance_scale=GUIDANCE, decode_timestep=0.05, decode_noise_scale=0.025,
        generator=torch.Generator().manual_seed(0), output_type="np",
        callback_on_step_end=lambda *_: clock.mark("step ends") or {},
    )  # fmt: skip


def ours(clock: Clock, bundle: str, size: tuple[int, int, int]) -> None:
    from vidrt import load_pipeline

    height, width, frames = size
    with load_pipeline(bundle, device="cpu") as pipeline:
        encoder = pipeline.components["text_encoder"].engine
        encoder.run = clock.around("text", encoder.run)
        for step in pipeline.denoise(  # noqa: B007 - the last one is wanted
            prompt=PROMPT, negative_prompt=NEGATIVE, height=height, width=width, num_frames=frames,
            num_inference_steps=STEPS, guidance_scale=GUIDANCE, seed=0, compat="diffusers",
        ):  # fmt: skip
            clock.mark("step ends")
        clock.mark("decode begins")
        pipeline.decode(step)


def resident() -> tuple[float, float]:
    """Megabytes of memory of the process's own and of mapped files."""
    found = {line.split(":")[0]: int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines()
             if line.startswith("Rss")}  # fmt: skip
    return found["RssAnon"] / 1e3, found["RssFile"] / 1e3


def watch(peaks: list[tuple[float, float]]) -> None:
    while True:
        peaks.append(resident())
        time.sleep(0.02)


def main(kind: str, folder: str, dtype: str, *numbers: str) -> None:
    """Runs one side and prints its figures: seconds, and megabytes at the peak."""
    peaks: list[tuple[float, float]] = []
    threading.Thread(target=watch, args=(peaks,), daemon=True).start()
    height, width, frames = map(int, numbers)
    clock, size = Clock(), (height, width, frames)
    if kind == "vidrt":
        ours(clock, folder, size)
    else:
        theirs(clock, kind, folder, dtype, size)
    clock.mark("end")
    used = resource.getrusage(resource.RUSAGE_SELF)
    memory = {"anonymous_mb": max(own for own, _ in peaks), "mapped_mb": max(mapped for _, mapped in peaks),
              "resident_mb": max(map(sum, peaks))}  # fmt: skip
    print(json.dumps({**clock.figures(), "cpu": used.ru_utime + used.ru_stime, **memory}))


if __name__ == "__main__":
    main(*sys.argv[1:])
