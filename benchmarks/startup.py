"""How long until something happens: `import vidrt` against numpy and diffusers, and the first denoising step.

python benchmarks/startup.py [BUNDLE]

The step is of one tiny checkpoint, which diffusers saved; both sides follow diffusers' conventions. With a bundle of
full size, also how long `vidrt generate` takes until its first step begins: the transformer open, the prompt one that
was seen before. Modules are compiled once, as an installed package's are, and read from there.
"""

import os
import sys
import tempfile
from pathlib import Path

from measure import in_turn, median, write

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

IMPORTS = {
    "numpy": "import numpy",
    "numpy and vidrt": "import numpy, vidrt",
    "vidrt": "import vidrt",
    "diffusers' LTXPipeline": "from diffusers import LTXPipeline",
}
REQUEST = "prompt='a red circle', height=96, width=160, num_frames=17, num_inference_steps=4, guidance_scale=3.0"
OURS = """
from vidrt import load_pipeline
with load_pipeline({bundle!r}, device="cpu") as pipeline:
    next(pipeline.denoise({request}, seed=0, compat="diffusers"))
"""
THEIRS = """
import torch
from diffusers import LTXPipeline
pipeline = LTXPipeline.from_pretrained({checkpoint!r})
class Stop(Exception): pass
def stop(*_): raise Stop
try:
    pipeline({request}, generator=torch.Generator().manual_seed(0), callback_on_step_end=stop)
except Stop:
    pass
"""
STEP_BEGINS = """
import os, sys, time
from vidrt.cli.main import main
from vidrt.components.transformer import Transformer
def begins(*_, **__):
    print('{{"processor_seconds": ' + str(time.process_time()) + '}}', flush=True)
    os._exit(0)
Transformer.__call__ = begins
sys.argv = ["vidrt", "generate", "--bundle", {bundle!r}, "--height", "256", "--width", "384", "--num-frames", "25",
            "--prompt", "A red fox", "--seed", "0", "--cpu", "--quiet", "--output-dir", {out!r}]
main()
"""


def main() -> None:
    """Measures imports, then first steps, and prints medians."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ |= {
            "PYTHONPYCACHEPREFIX": f"{cache}/modules",
            "VIDRT_HOME": f"{cache}/home",
            "XDG_CACHE_HOME": cache,
        }
        _measure(*sys.argv[1:])


def _measure(full: str | None = None) -> None:
    imports = in_turn({name: [sys.executable, "-c", code] for name, code in IMPORTS.items()}, runs=11)
    with tempfile.TemporaryDirectory() as work:
        steps = in_turn(_first_steps(Path(work)), runs=5)
    results = (("import", imports), ("first denoising step", steps), *_full_size(full))
    figures = {title: {name: _medians(runs) for name, runs in rows.items()} for title, rows in results}
    for title, rows in figures.items():
        print(title)
        for name, row in rows.items():
            print(f"  {name:24} {row['seconds']:7.3f} s {row['peak_mb']:8.0f} MB")
    write("startup", figures)


def _medians(runs: list) -> dict[str, float]:
    row = {"seconds": median([r.seconds for r in runs]), "peak_mb": median([r.peak_mb for r in runs])}
    return row | {name: median([r.printed[name] for r in runs]) for name in runs[0].printed}


def _full_size(bundle: str | None) -> list[tuple[str, dict]]:
    if bundle is None:
        return []
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-c", STEP_BEGINS.format(bundle=bundle, out=out)]
        return [("until a step of full size begins", in_turn({"vidrt": command}, runs=5))]


def _first_steps(work: Path) -> dict[str, list[str]]:
    import tiny_ltx
    from measure import run

    checkpoint, bundle = str(work / "checkpoint"), str(work / "bundle")
    tiny_ltx.save(Path(checkpoint), form="0.9.5")
    run([sys.executable, "-m", "vidrt_export", checkpoint, "--out", bundle, "--quiet"])
    return {
        "vidrt": [sys.executable, "-c", OURS.format(bundle=bundle, request=REQUEST)],
        "diffusers": [sys.executable, "-c", THEIRS.format(checkpoint=checkpoint, request=REQUEST)],
    }


if __name__ == "__main__":
    main()
