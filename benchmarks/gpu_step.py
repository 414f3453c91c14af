"""Steps of one pipeline, timed one by one: python gpu_step.py NAME FOLDER HEIGHT WIDTH FRAMES STEPS.

NAME is a backend of vidrt, with FOLDER a bundle, or torch-eager or torch-compile, with FOLDER a checkpoint that
diffusers plays in bf16. Embeddings of 30 tokens stand for the prompt; there is no guidance, so a step is one evaluation
of the transformer and one of the scheduler. Prints a JSON object: the seconds of each step, or the error.
"""

import json
import sys
import time
from pathlib import Path

TEXT_TOKENS = 30


def main() -> None:
    name, folder, *numbers = sys.argv[1:]
    height, width, frames, steps = map(int, numbers)
    play = _torch if name.startswith("torch") else _vidrt
    try:
        result: dict[str, object] = {"steps": play(name, folder, height, width, frames, steps)}
    except Exception as error:  # noqa: BLE001 - one line in a table, whatever it is
        result = {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
    print(json.dumps(result))


def _vidrt(name: str, folder: str, height: int, width: int, frames: int, steps: int) -> list[float]:
    import numpy as np
    from vidrt import PromptEmbeddings, load_pipeline

    with load_pipeline(folder, backend=name, device="auto") as pipeline:
        spec = next(s for s in pipeline.components["transformer"].engine.engine.inputs if s.name == "context")
        draw = np.random.default_rng(0).standard_normal
        context = PromptEmbeddings(positive=draw((1, TEXT_TOKENS, int(spec.axes[-1])), np.float32))
        times, begin = [], time.perf_counter()
        options = {"height": height, "width": width, "num_frames": frames, "num_inference_steps": steps}
        for step in pipeline.denoise(embeddings=context, **options, guidance_scale=1.0, seed=0):
            np.asarray(step.latents)[0, 0, 0]  # a step is over when its latents can be read
            times.append(time.perf_counter() - begin)
            begin = time.perf_counter()
    return times


def _torch(name: str, folder: str, height: int, width: int, frames: int, steps: int) -> list[float]:
    import torch
    from diffusers import LTXPipeline

    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipeline = LTXPipeline.from_pretrained(Path(folder), torch_dtype=torch.bfloat16).to(device)
    pipeline.set_progress_bar_config(disable=True)
    if name == "torch-compile":
        pipeline.transformer = torch.compile(pipeline.transformer)
    width_of_text = pipeline.transformer.config.caption_channels
    embeds = torch.randn(1, TEXT_TOKENS, width_of_text, dtype=torch.bfloat16, device=device)
    mask = torch.ones(1, TEXT_TOKENS, dtype=torch.bool, device=device)
    times, begin = [], time.perf_counter()

    def over(pipe: object, index: int, timestep: object, given: dict) -> dict:  # noqa: ARG001 - diffusers' signature
        nonlocal begin
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        return given

    pipeline(
        prompt_embeds=embeds, prompt_attention_mask=mask, height=height, width=width, num_frames=frames,
        num_inference_steps=steps, guidance_scale=1.0, output_type="latent", callback_on_step_end=over,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    return times


if __name__ == "__main__":
    main()
