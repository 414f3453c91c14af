"""T5-XXL in GGUF: building, a prompt, the memory they take, and the distance from gguf's own numbers in transformers.

python benchmarks/full_size_t5.py FOLDER

Files of full size with random weights are written to FOLDER, 5.1 GB in Q8_0 and 3.3 GB in Q5_K, and a bundle of each.
transformers' peers hold 2 of the 24 blocks, times 12, since 19 GB of fp32 do not fit; the reference for the distance is
transformers in fp32, block after block, on what gguf decodes. Beside the seconds on the clock stand those of the
processors, of all threads together: on a busy machine they are what can be compared.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from full_size_t5_files import TYPES, checkpoint, file_of, reference
from measure import median, run, write

TOKENS = (30, 128)
RUNS = 2
OURS = """
import json, sys, time
import numpy as np
from pathlib import Path
from vidrt_engines.manifest import bundle_path, read_bundle
from vidrt.devices import Device
from vidrt.sessions.onnxruntime import OnnxruntimeSession
folder = Path({bundle!r})
engine = read_bundle(folder).engines["text_encoder"][0]
begin, cpu = time.perf_counter(), time.process_time()
session = OnnxruntimeSession(bundle_path(folder, engine.files[0].path), engine, Device(kind="cpu"), "text encoder")
row = {{"open": time.perf_counter() - begin, "open_cpu": time.process_time() - cpu}}
for tokens in {tokens!r}:
    ids = np.random.default_rng(tokens).integers(0, 32128, (1, tokens))
    begin, cpu = time.perf_counter(), time.process_time()
    found = session.run({{"input_ids": ids}})["embeddings"]
    row[f"prompt_{{tokens}}"] = time.perf_counter() - begin
    row[f"prompt_{{tokens}}_cpu"] = time.process_time() - cpu
    np.save({out!r} + f"-{{tokens}}.npy", found)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
row["held_anonymous_mb"] = int(status["RssAnon"].split()[0]) / 1000
row["held_mapped_mb"] = int(status["RssFile"].split()[0]) / 1000
print(json.dumps(row))
"""
THEIRS = """
import json, time, torch, transformers
config = transformers.T5Config(vocab_size=128, d_model=4096, d_kv=64, d_ff=10240, num_layers=2, num_heads=64,
                               feed_forward_proj="gated-gelu")
with torch.device("meta"):
    model = transformers.T5EncoderModel(config)
model = model.to(torch.{dtype}).to_empty(device="cpu").eval()
with torch.no_grad():
    for value in model.parameters():
        value.normal_(std=0.02)
    row = {{}}
    for tokens in {tokens!r}:
        ids = torch.randint(0, 128, (1, tokens))
        model(input_ids=ids[:, :4])
        begin, cpu = time.perf_counter(), time.process_time()
        model(input_ids=ids)
        row[f"prompt_{{tokens}}"] = 12 * (time.perf_counter() - begin)
        row[f"prompt_{{tokens}}_cpu"] = 12 * (time.process_time() - cpu)
print(json.dumps(row))
"""


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figures = {kind: ours(folder, kind) for kind in TYPES}
    for dtype in ("bfloat16", "float32"):
        figures[f"transformers_{dtype}"] = theirs(dtype)
    write("full_size_t5", figures)


def ours(folder: Path, kind: str) -> dict[str, float]:
    source, bundle = file_of(folder, kind), folder / f"bundle-{kind}"
    command = [sys.executable, "-m", "vidrt_export", str(checkpoint(folder)), "--out", str(bundle), "--quiet"]
    built = run([*command, "--component", "text_encoder", "--t5-gguf", str(source)])
    weights = next(bundle.rglob("model.weights")).stat().st_size
    row = {
        "file_mb": source.stat().st_size / 1e6, "packed_mb": weights / 1e6,
        "build_seconds": built.seconds, "build_peak_mb": built.peak_mb,
    }  # fmt: skip
    script = OURS.format(bundle=str(bundle), tokens=TOKENS, out=str(folder / kind))
    runs = [run([sys.executable, "-c", script]) for _ in range(RUNS)]
    row |= {key: median([one.printed[key] for one in runs]) for key in runs[0].printed}
    row["run_peak_mb"] = max(one.peak_mb for one in runs)
    row["peak_to_packed"], row["peak_to_file"] = (row["run_peak_mb"] / row[f"{of}_mb"] for of in ("packed", "file"))
    ids = {n: torch.from_numpy(np.random.default_rng(n).integers(0, 32128, (1, n))) for n in TOKENS}
    for tokens, wanted in reference(source, ids).items():
        found = torch.from_numpy(np.load(folder / f"{kind}-{tokens}.npy"))
        row[f"relative_l2_{tokens}"] = float((found - wanted).norm() / wanted.norm())
    print(kind, row, flush=True)
    return row


def theirs(dtype: str) -> dict[str, float]:
    runs = [run([sys.executable, "-c", THEIRS.format(dtype=dtype, tokens=TOKENS)]) for _ in range(RUNS)]
    row = {key: median([one.printed[key] for one in runs]) for key in runs[0].printed}
    print(f"transformers, {dtype}:", row, flush=True)
    return row


if __name__ == "__main__":
    main(Path(sys.argv[1]))
