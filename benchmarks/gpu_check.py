"""All that needs a GPU, in one table: each engine against fp32, whole videos, and steps beside PyTorch and onnxruntime.

python benchmarks/gpu_check.py [FOLDER] [--tiny]

FOLDER takes a checkpoint of true size (random weights) and the bundles, some 20 GB; without it they are temporary.
Building an engine where there is a GPU runs it at the minimum, optimum and maximum of its profiles and refuses it if
it is off, so the build is the parity check. What a machine lacks is left out, and named. `--tiny` takes the embedded
architecture in miniature, to try the script itself.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from measure import Measured, median, run, write

HERE = Path(__file__).resolve().parent
SIZES = {"512x768x97": (512, 768, 97), "256x384x25": (256, 384, 25)}
TINY_SIZES = {"64x96x9": (64, 96, 9)}
BACKENDS = ("tensorrt", "tensorrt-rtx", "onnxruntime")
PEERS = ("torch-eager", "torch-compile")
STEPS = 8
TINY = """
import sys
sys.path.insert(0, {support!r})
from pathlib import Path
import tiny_ltx
tiny_ltx.save(Path({target!r}), "0.9.5")
"""


def main() -> None:
    """Builds, plays and measures what this machine can, and prints what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    if not shutil.which("nvidia-smi"):
        print("This machine has no NVIDIA driver: only whether the script runs can be seen here.")
    with tempfile.TemporaryDirectory() as temporary:
        check(arguments.folder or Path(temporary), tiny=arguments.tiny)


def check(folder: Path, *, tiny: bool) -> None:
    checkpoint = _checkpoint(folder, tiny=tiny)
    sizes = TINY_SIZES if tiny else SIZES
    built = {backend: _build(checkpoint, folder / backend, backend, sizes) for backend in BACKENDS}
    bundles = {backend: folder / backend for backend, told in built.items() if "error" not in told}
    rows = {
        name: {size: _measured(name, checkpoint, bundles.get(name), sides) for size, sides in sizes.items()}
        for name in (*bundles, *PEERS)
    }
    videos = {backend: _video(bundle, folder / f"video-{backend}", sizes) for backend, bundle in bundles.items()}
    _print(built, rows, videos)
    write("gpu_tiny" if tiny else "gpu", {"gpu": _gpu(), "built": built, "steps": rows, "videos": videos})


def _checkpoint(folder: Path, *, tiny: bool) -> Path:
    target = folder / "checkpoint"
    if not (target / "model_index.json").exists():
        script = [str(HERE / "full_size_checkpoint.py"), str(target)]
        if tiny:
            script = ["-c", TINY.format(support=str(HERE.parent / "tests" / "support"), target=str(target))]
        run([sys.executable, *script])
    return target


def _build(checkpoint: Path, out: Path, backend: str, sizes: dict) -> dict[str, object]:
    """Builds a bundle; what the exporter says of each engine is the parity table."""
    low, high = min(sizes.values()), max(sizes.values())
    resolution = f"{low[0]}x{low[1]}:{high[0]}x{high[1]}:{high[0]}x{high[1]}"
    command = [sys.executable, "-m", "vidrt_export", str(checkpoint), "--out", str(out), "--backend", backend]
    if backend != "onnxruntime":
        command += ["--resolution", resolution, "--frames", f"{low[2]}:{high[2]}:{high[2]}"]
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if done.returncode:
        return {"error": lines[-1] if lines else f"status {done.returncode}"}
    kept = [line for line in lines if "from fp32" in line or "not checked" in line or "compiled" in line]
    return {"seconds": time.monotonic() - begin, "told": kept}


def _measured(name: str, checkpoint: Path, bundle: Path | None, sides: tuple) -> dict[str, float | str]:
    """Seconds of a step and the GPU's memory at the peak, of a process of its own."""
    command = [sys.executable, str(HERE / "gpu_step.py"), name, str(bundle or checkpoint), *map(str, sides), str(STEPS)]
    try:
        with _device_memory() as memory:
            done: Measured = run(command)
    except SystemExit as error:
        return {"error": str(error).strip().splitlines()[-1]}
    if "error" in done.printed:
        return {"error": done.printed["error"]}
    first, *others = done.printed["steps"]
    return {"first": first, "step": median(others), "device_mb": memory["peak"] - memory["before"]}


def _video(bundle: Path, output: Path, sizes: dict) -> dict[str, float | str]:
    height, width, frames = max(sizes.values())
    numbers = {"height": height, "width": width, "num-frames": frames, "seed": 0}
    request = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "vidrt", "generate", "--bundle", str(bundle), "--output-dir", str(output)]
    begin = time.monotonic()
    command += ["--prompt", "a red circle", *request, "--mp4", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return {"seconds": time.monotonic() - begin}


@contextmanager
def _device_memory() -> Iterator[dict[str, float]]:
    """What the driver counts as taken, in MB, before and at the peak: whoever takes it."""
    memory, stop = {"before": _taken(), "peak": _taken()}, Event()

    def watch() -> None:
        while not stop.wait(0.1):
            memory["peak"] = max(memory["peak"], _taken())

    thread = Thread(target=watch, daemon=True)
    thread.start()
    yield memory
    stop.set()
    thread.join()


def _taken() -> float:
    lines = _smi("memory.used")
    return float(lines[0]) if lines else 0.0


def _gpu() -> str:
    return next(iter(_smi("name,driver_version,compute_cap")), "none")


def _smi(fields: str) -> list[str]:
    if not (program := shutil.which("nvidia-smi")):
        return []
    command = [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")


def _print(built: dict, rows: dict, videos: dict) -> None:
    for backend, told in built.items():
        print(f"{backend}: {told.get('error') or format(told['seconds'], '.0f') + ' s to build'}")
        for line in told.get("told", ()):
            print(f"  {line}")
    print(f"{'a step':16} {'size':12} {'first':>9} {'step':>9} {'device MB':>10}")
    for name, of_size in rows.items():
        for size, row in of_size.items():
            figures = row.get("error") or f"{row['first']:9.3f} {row['step']:9.4f} {row['device_mb']:10.0f}"
            print(f"{name:16} {size:12} {figures}")
    for backend, row in videos.items():
        print(f"a video, {backend}: {row.get('error') or format(row['seconds'], '.1f') + ' s'}")


if __name__ == "__main__":
    main()
