"""One whole run of `peers.py`: from the start of the process to frames; prints what each phase took as JSON.

python peers_one.py diffusers|compiled CHECKPOINT DTYPE HEIGHT WIDTH FRAMES STEPS GUIDANCE
python peers_one.py vidrt BUNDLE BACKEND HEIGHT WIDTH FRAMES STEPS GUIDANCE
"""

import json
import sys
from typing import Any

from peers_clock import NEGATIVE, PROMPT, Clock

Request = dict[str, Any]


def theirs(clock: Clock, kind: str, folder: str, dtype: str, request: Request) -> float:
    """Runs diffusers' pipeline of the checkpoint; returns the seconds of decoding."""
    import torch
    from diffusers import DiffusionPipeline

    pipe = DiffusionPipeline.from_pretrained(folder, torch_dtype=getattr(torch, dtype))
    pipe.set_progress_bar_config(disable=True)
    if kind == "compiled":
        pipe.transformer = torch.compile(pipe.transformer)
    pipe.encode_prompt = clock.around("text", pipe.encode_prompt)
    begins: list[float] = []
    pipe.vae.decode = _noting(clock, begins, pipe.vae.decode)
    pipe(
        **request, decode_timestep=0.05, decode_noise_scale=0.025, output_type="np",
        generator=torch.Generator().manual_seed(0), callback_on_step_end=lambda *_: clock.step() or {},
    )  # fmt: skip
    return clock.now() - begins[0]


def ours(clock: Clock, bundle: str, backend: str, request: Request) -> float:
    """Runs vidrt on a bundle; returns the seconds of decoding, without those of opening the decoder."""
    from vidrt import load_pipeline
    from vidrt.sessions.component_engine import ComponentEngine

    opened = "_open"  # what is between a phase's beginning and its first run
    setattr(ComponentEngine, opened, clock.around("open", getattr(ComponentEngine, opened)))
    with load_pipeline(bundle, device="cpu", backend=backend) as pipeline:
        encoder = pipeline.components["text_encoder"].engine
        encoder.run = clock.around("text", encoder.run)
        for step in pipeline.denoise(**request, seed=0, compat="diffusers"):  # noqa: B007 - the last one is wanted
            clock.step()
        begin, before = clock.now(), clock.spent("open")
        pipeline.decode(step)
        return clock.now() - begin - (clock.spent("open") - before)


def _noting(clock: Clock, begins: list[float], function: Any) -> Any:
    def noted(*args: Any, **kwargs: Any) -> Any:
        begins.append(clock.now())
        return function(*args, **kwargs)

    return noted


def main(kind: str, folder: str, how: str, *numbers: str) -> None:
    """Runs one side and prints its figures."""
    height, width, frames, steps = map(int, numbers[:4])
    request = {
        "prompt": PROMPT, "negative_prompt": NEGATIVE, "height": height, "width": width, "num_frames": frames,
        "num_inference_steps": steps, "guidance_scale": float(numbers[4]),
    }  # fmt: skip
    clock = Clock()
    decode = ours(clock, folder, how, request) if kind == "vidrt" else theirs(clock, kind, folder, how, request)
    print(json.dumps(clock.figures(decode)))


if __name__ == "__main__":
    main(*sys.argv[1:])
