"""What `vidrt plan` estimates beside what onnxruntime takes on the CPU, for engines of the true size.

python benchmarks/memory_model.py BUNDLE [CASE ...]

BUNDLE holds LTX-Video's transformer or VAE decoder, built with what they take counted; CASE is one of those below, by
default all that its engines can play. A `run` is a whole request, all engines one after the other: its figures are
those of decoding, with the frames as bytes; it needs a text encoder too, and two layers of everything will do. The peak
is that of anonymous memory, looked at every 4 ms in a process for each case. Cases that are not run keep their figures.
"""

import json
import subprocess
import sys

from measure import RESULTS, write

STREAM, WHOLE, TRANSFORMER, RUN, TILED = "streaming", "whole", "transformer", "run", "run in tiles of 256x256"
SIZES = {
    STREAM: ((256, 256, 25), (256, 384, 25), (256, 384, 97), (384, 512, 25)),
    WHOLE: ((256, 256, 9), (256, 384, 9), (256, 256, 25), (256, 384, 25)),
    TRANSFORMER: ((256, 256, 9), (256, 384, 25), (256, 384, 97), (512, 768, 25)),
    RUN: ((256, 256, 9), (256, 384, 25), (512, 768, 9), (256, 384, 97), (384, 512, 25)),
    TILED: ((512, 768, 9),),
}
CASES = {f"{way} {h}x{w}x{f}": (way, h, w, f) for way, sizes in SIZES.items() for h, w, f in sizes}
_SCRIPT = """
import json, threading, time
from pathlib import Path
import numpy as np
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.devices import parse_device
from vidrt.planning.engines import LatentSize, run_bytes
from vidrt.planning.streaming import streamed_bytes
from vidrt.sessions.component_engine import ComponentEngine
from vidrt_engines.axes import axis_sizes
from vidrt_engines.manifest import read_manifest
from vidrt_engines.names import Component
way, height, width, frames = {case!r}
folder = Path({bundle!r})
bundle = read_manifest(folder)
component = "transformer" if way == "transformer" else "vae_decoder"
engine = bundle.engines[component][0]
sizes = axis_sizes(bundle.ltx, height=height, width=width, num_frames=frames, text_tokens=128)
peak = 0
def look():
    global peak
    with open("/proc/self/status") as lines:
        peak = max(peak, next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) << 10)
def watch():
    while True:
        look()
        time.sleep(0.004)
threading.Thread(target=watch, daemon=True).start()
played = ComponentEngine(Component(component), engine, folder, parse_device("cpu"))
random = np.random.default_rng(0)
def drawn(spec):
    return random.standard_normal([int(axis) if axis.isdigit() else sizes[axis] for axis in spec.axes], np.float32)
begin = time.perf_counter()
if way == "transformer":
    played.run({{spec.name: drawn(spec) for spec in engine.inputs}})
    estimate = run_bytes(played.component, engine, sizes)
else:
    decoder = VaeDecoder(played, bundle.ltx.injected_noise, 0.05 if bundle.ltx.timestep_conditioning else None)
    latents = drawn(next(spec for spec in engine.inputs if spec.name == "latents"))
    if way == "whole":
        decoder(latents)
        estimate = run_bytes(played.component, engine, sizes)
    else:
        stream = decoder.stream(latents)
        for part in stream:
            del part
        estimate = streamed_bytes(played.component, engine, LatentSize.of(latents.shape[2:]))
print(json.dumps({{"seconds": time.perf_counter() - begin, "peak_mb": peak / 1e6, "estimate_mb": estimate / 1e6}}))
"""
_RUN = """
import json
import vidrt.bench.memory
from vidrt import load_pipeline
from vidrt.bench.stopwatch import Stopwatch
from vidrt.components.tiles import Tiles
from vidrt.pipelines.decode_options import DecodeOptions
from vidrt.planning.decoding import Decoding
from vidrt.planning.engines import LatentSize
vidrt.bench.memory._INTERVAL = 0.004
way, height, width, frames = {case!r}
options = DecodeOptions(tiles=Tiles(height=256, width=256) if "tiles" in way else None)
request = dict(prompt="a red circle moves to the right", height=height, width=width, num_frames=frames, seed=0)
with load_pipeline({bundle!r}, device="cpu", backend="onnxruntime", decoding=options) as pipeline:
    watch = Stopwatch()
    watch.watch(pipeline.components)
    with vidrt.bench.memory.sampled() as samples:
        pipeline.videos(num_inference_steps=2, **request)
    bundle, engine = pipeline.bundle, pipeline.components["vae_decoder"].engine.engine
done = [work for work in watch.done if work.component == "vae_decoder"]
begin, end = min(work.begin for work in done), samples.taken[-1].time
size = LatentSize.of(((frames - 1) // 8 + 1, height // 32, width // 32))
estimate = Decoding(engine=engine, settings=bundle.ltx, latents=size).need(options).own
peak = samples.peak(begin, end).anonymous
print(json.dumps({{"seconds": end - begin, "peak_mb": peak / 1e6, "estimate_mb": estimate / 1e6}}))
"""


def main(bundle: str, cases: list[str]) -> None:
    """Runs each case in a process of its own and prints how far the estimate is off."""
    path = RESULTS / "memory_model.json"
    known = json.loads(path.read_text())["cpu"] if path.exists() else {}
    for case in cases:
        script = (_RUN if case.startswith(RUN) else _SCRIPT).format(bundle=bundle, case=CASES[case])
        done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
        figures = json.loads(done.stdout.strip().splitlines()[-1])
        figures["off"] = figures["estimate_mb"] / figures["peak_mb"] - 1
        known[case] = {name: round(value, 3) for name, value in figures.items()}
        print(case, known[case], flush=True)
        write("memory_model", {"cpu": {name: known[name] for name in CASES if name in known}})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] or list(CASES))
