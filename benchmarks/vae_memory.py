"""Decoding LTX-Video's 0.9.5 VAE in full size at 256x384: the memory it takes, and how that grows with the frames.

python benchmarks/vae_memory.py CHECKPOINT [CASE ...]

CHECKPOINT is what full_size_checkpoint.py saved; CASE is one of those below, by default all, one after the other.
vidrt plays the weights as they are stored with fp32 maths, diffusers runs in fp32. Results of cases that are not run
are kept, so that a machine with little memory may take them one by one.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import RESULTS, write

FRAMES = (25, 97, 257)
WAYS = ("vidrt streaming", "vidrt untiled", "diffusers untiled", "diffusers tiled")
CASES = tuple(f"{way} {frames}" for way in WAYS for frames in FRAMES)
# Anonymous and mapped memory peak apart, and are looked at so often that no layer of this size passes unseen.
_WATCHED = """
import json, sys, threading, time
peak = {"resident": 0, "anonymous": 0, "mapped": 0}
def look():
    with open("/proc/self/status") as lines:
        found = {name: int(rest.split()[0]) * 1024 / 1e6 for name, rest in
                 (line.split(":", 1) for line in lines) if name in ("VmHWM", "RssAnon", "RssFile")}
    for key, name in (("resident", "VmHWM"), ("anonymous", "RssAnon"), ("mapped", "RssFile")):
        peak[key] = max(peak[key], found[name])
def watch():
    while True:
        look()
        time.sleep(0.01)
threading.Thread(target=watch, daemon=True).start()
"""
_END = """
look()
print(json.dumps({"frames": count, "seconds": seconds, **{f"{key}_mb": value for key, value in peak.items()}}))
"""
_OURS = """
import numpy as np
from pathlib import Path
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.devices import parse_device
from vidrt.output.mp4 import write_mp4
from vidrt.pipelines.latents import to_bytes, unit_range
from vidrt.sessions.component_engine import ComponentEngine
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import Component
folder = Path({bundle!r})
bundle = read_bundle(folder)
engine = ComponentEngine(
    Component.VAE_DECODER, bundle.engines["vae_decoder"][0], folder, parse_device("cpu"))
decoder = VaeDecoder(engine, bundle.ltx.injected_noise, 0.05)
latents = np.random.default_rng(0).standard_normal((1, 128, {latent_frames}, 8, 12), np.float32)
begin, count = time.perf_counter(), 0
def frames():
    global count
    for part in (decoder.stream(latents) if {streams} else [decoder(latents)]):
        for frame in to_bytes(unit_range(part))[0]:
            count += 1
            yield frame
write_mp4(folder / "video.mp4", frames(), 25)
seconds = time.perf_counter() - begin
"""
_THEIRS = """
import torch
from diffusers import AutoencoderKLLTXVideo
vae = AutoencoderKLLTXVideo.from_pretrained({checkpoint!r}, subfolder="vae", torch_dtype=torch.float32)
if {tiles}:
    vae.enable_tiling()
    vae.use_framewise_decoding = True
latents = torch.randn(1, 128, {latent_frames}, 8, 12)
begin = time.perf_counter()
with torch.no_grad():
    count = vae.decode(latents, torch.tensor([0.05])).sample.shape[2]
seconds = time.perf_counter() - begin
"""


def main(checkpoint: str, cases: list[str]) -> None:
    """Builds the decoder, runs each case in a process of its own and adds what it took to what is known."""
    path = RESULTS / "vae_memory.json"
    known = json.loads(path.read_text())["decode_256x384"] if path.exists() else {}
    with tempfile.TemporaryDirectory() as work:
        bundle = str(Path(work, "bundle"))
        if any(case.startswith("vidrt") for case in cases):
            build = [sys.executable, "-m", "vidrt_export", checkpoint, "--out", bundle]
            subprocess.run([*build, "--component", "vae_decoder", "--quiet"], check=True)
        for case in cases:
            known[case] = _run(_script(case, bundle, checkpoint))
            print(case, *(f"{key} {value:.0f}" for key, value in known[case].items()))
            write("vae_memory", {"decode_256x384": {name: known[name] for name in CASES if name in known}})


def _script(case: str, bundle: str, checkpoint: str) -> str:
    way, frames = case.rsplit(" ", 1)
    values = {"bundle": bundle, "checkpoint": checkpoint, "latent_frames": (int(frames) - 1) // 8 + 1}
    body = _OURS if way.startswith("vidrt") else _THEIRS
    return _WATCHED + body.format(**values, streams=way.endswith("streaming"), tiles=way == WAYS[3]) + _END


def _run(script: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    printed: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return printed


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] or list(CASES))
