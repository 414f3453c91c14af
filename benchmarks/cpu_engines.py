"""The CPU's engines beside PyTorch: a quarter of the 2B transformer, and T5's layers, on one thread each.

    python benchmarks/full_size_checkpoint.py FOLDER 7
    python benchmarks/cpu_engines.py FOLDER

Seconds are the processor's, so that what else the machine does counts little; runs are taken in turn.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import Measured, in_turn, median, run, write

PRECISIONS = ("fp32", "bf16", "int8")
TOKENS = {"transformer": (384, 1500), "text_encoder": (30, 128)}
ENGINES = {
    "torch fp32": ("torch", "float32"),
    "torch bf16": ("torch", "bfloat16"),
    "onnxruntime fp32": ("onnxruntime", "fp32"),
    "onnxruntime bf16": ("onnxruntime", "bf16"),
    "onnxruntime int8": ("onnxruntime", "int8"),
    "OpenVINO fp32": ("openvino", "fp32"),
    "OpenVINO bf16 weights": ("openvino", "bf16"),
}
ROUNDS, RUNS = 2, 2


def main(checkpoint: str) -> None:
    """Builds the engines, then measures all in turn."""
    with tempfile.TemporaryDirectory() as work:
        for precision in PRECISIONS:
            bundle = str(Path(work, precision))
            parts = [word for part in TOKENS for word in ("--component", part)]
            run([sys.executable, "-m", "vidrt_export", checkpoint, "--out", bundle, "--precision", precision, *parts])
        figures = {part: _measured(part, checkpoint, work) for part in TOKENS}
    for part, rows in figures.items():
        print(part)
        for name, row in rows.items():
            print(f"  {name:22}", "  ".join(f"{key} {value:.3g}" for key, value in row.items()))
    write("cpu_engines", figures)


def _measured(part: str, checkpoint: str, work: str) -> dict[str, dict[str, float]]:
    own = [sys.executable, __file__, "one"]
    commands = {
        name: [*own, library, kind, part, checkpoint if library == "torch" else f"{work}/{kind}"]
        for name, (library, kind) in ENGINES.items()
    }
    rows = {name: _row(runs) for name, runs in in_turn(commands, runs=ROUNDS, warmups=0).items()}
    first = rows["torch fp32"]
    for row in rows.values():
        row.update({f"{key} ratio": row[key] / first[key] for key in list(row) if key.endswith("tokens")})
    return rows


def _row(runs: list[Measured]) -> dict[str, float]:
    keys = runs[0].printed
    row = {key: median([value for r in runs for value in r.printed[key]]) for key in keys}
    return {**row, "peak_mb": median([r.peak_mb for r in runs])}


def one(library: str, kind: str, part: str, folder: str) -> None:
    """Opens one engine and prints what each run took, by the number of tokens."""
    begin = time.process_time()
    call = {"torch": _torch, "onnxruntime": _onnxruntime, "openvino": _openvino}[library](kind, part, folder)
    seconds = {"open": [time.process_time() - begin]}
    for tokens in TOKENS[part]:
        inputs = _inputs(part, tokens)
        call(inputs)
        seconds[f"{tokens} tokens"] = [_timed(call, inputs) for _ in range(RUNS)]
    print(json.dumps(seconds))


def _timed(call: object, inputs: dict[str, np.ndarray]) -> float:
    begin = time.process_time()
    call(inputs)
    return time.process_time() - begin


def _inputs(part: str, tokens: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    if part == "text_encoder":
        return {"input_ids": rng.integers(3, 80, (1, tokens))}
    table = np.ones((tokens, 1024), np.float32)
    return {
        "latents": rng.standard_normal((1, tokens, 128), np.float32),
        "context": rng.standard_normal((1, 30, 4096), np.float32),
        "timestep": np.full((1, 1), 900, np.float32), "rope_cos": table, "rope_sin": 0 * table,
    }  # fmt: skip


def _torch(kind: str, part: str, folder: str) -> object:
    import torch
    from diffusers import LTXVideoTransformer3DModel
    from transformers import T5EncoderModel

    torch.set_num_threads(1)
    dtype = getattr(torch, kind)
    if part == "text_encoder":
        encoder = T5EncoderModel.from_pretrained(folder, subfolder=part, dtype=dtype)
        return torch.no_grad()(lambda inputs: encoder(torch.from_numpy(inputs["input_ids"])))
    model = LTXVideoTransformer3DModel.from_pretrained(folder, subfolder=part, torch_dtype=dtype)

    @torch.no_grad()
    def call(inputs: dict[str, np.ndarray]) -> None:
        latents, context = (torch.from_numpy(inputs[name]).to(dtype) for name in ("latents", "context"))
        tokens = latents.shape[1]
        mask = torch.ones(1, context.shape[1], dtype=torch.bool)
        coordinates = torch.rand(1, 3, tokens)
        model(latents, context, torch.tensor([900.0]), mask, video_coords=coordinates)

    return call


def _onnxruntime(kind: str, part: str, folder: str) -> object:
    import onnxruntime
    from vidrt.sessions.onnxruntime import STAY_MAPPED

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.enable_mem_pattern = False
    for key, value in STAY_MAPPED.items():  # as the runtime opens it, but for the threads
        options.add_session_config_entry(key, value)
    session = onnxruntime.InferenceSession(_graph(kind, part, folder), options, providers=["CPUExecutionProvider"])
    known = {given.name: given.shape for given in session.get_inputs()}
    return lambda inputs: session.run(None, _all(inputs, known))


def _openvino(kind: str, part: str, folder: str) -> object:
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(_graph(kind, part, folder), "CPU", settings)
    request = model.create_infer_request()
    known = {name: list(given.partial_shape) for given in model.inputs for name in given.names}
    return lambda inputs: request.infer(_all(inputs, known))


def _graph(kind: str, part: str, folder: str) -> Path:
    (graph,) = Path(folder, part).glob(f"onnxruntime-{kind}-*/model.onnx")
    return graph


def _all(inputs: dict[str, np.ndarray], known: dict[str, list]) -> dict[str, np.ndarray]:
    """The inputs, with no perturbation."""
    if "perturbation" not in known:
        return inputs
    shape = (1, *(int(str(size)) for size in known["perturbation"][1:]))
    return {**inputs, "perturbation": np.zeros(shape, np.float32)}


if __name__ == "__main__":
    one(*sys.argv[2:]) if sys.argv[1] == "one" else main(sys.argv[1])
