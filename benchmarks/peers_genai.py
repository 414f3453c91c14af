"""One whole run of `peers.py` with openvino-genai, in its environment; prints what each phase took as JSON.

GENAI_PYTHON peers_genai.py FOLDER PRECISION HEIGHT WIDTH FRAMES STEPS GUIDANCE

FOLDER is what `peers_genai_export.py` made, PRECISION OpenVINO's name of it: bf16 or f32.
"""

import json
import sys

import openvino_genai
from peers_clock import NEGATIVE, PROMPT, TEXT_TOKENS, Clock


def main(folder: str, precision: str, *numbers: str) -> None:
    """Opens and compiles the pipeline, runs it with torch's noise of seed 0 and prints its figures."""
    height, width, frames, steps = map(int, numbers[:4])
    clock = Clock()
    pipe = openvino_genai.Text2VideoPipeline(folder, "CPU", INFERENCE_PRECISION_HINT=precision)
    ends: list[float] = []

    def on_step(*_: object) -> bool:
        clock.step()
        ends.append(clock.now())
        return False

    result = pipe.generate(
        PROMPT, negative_prompt=NEGATIVE, height=height, width=width, num_frames=frames, num_inference_steps=steps,
        guidance_scale=float(numbers[4]), frame_rate=25, max_sequence_length=TEXT_TOKENS,
        generator=openvino_genai.TorchGenerator(0), callback=on_step,
    )  # fmt: skip
    for milliseconds in result.perf_metrics.get_text_encoder_infer_duration().values():
        clock.add("text", milliseconds / 1000)
    print(json.dumps(clock.figures(clock.now() - ends[-1])))


if __name__ == "__main__":
    main(*sys.argv[1:])
