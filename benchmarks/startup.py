"""How long until something happens: `import vidrt` against numpy and diffusers, and the first denoising step.

python benchmarks/startup.py

The step is of one tiny checkpoint, which diffusers saved; both sides follow diffusers' conventions.
"""

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


def main() -> None:
    """Measures imports, then first steps, and prints medians."""
    imports = in_turn({name: [sys.executable, "-c", code] for name, code in IMPORTS.items()}, runs=11)
    with tempfile.TemporaryDirectory() as work:
        steps = in_turn(_first_steps(Path(work)), runs=5)
    figures = {
        title: {name: {"seconds": median([r.seconds for r in runs]), "peak_mb": median([r.peak_mb for r in runs])}
                for name, runs in results.items()}
        for title, results in (("import", imports), ("first denoising step", steps))
    }  # fmt: skip
    for title, rows in figures.items():
        print(title)
        for name, row in rows.items():
            print(f"  {name:24} {row['seconds']:7.3f} s {row['peak_mb']:8.0f} MB")
    write("startup", figures)


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
