"""Makes the bundle that the package embeds: a tiny LTX-Video of the true architecture, UNTRAINED, with seeded weights.

    python scripts/make_demo_bundle.py

What it shows is noise turned into a pattern, never the prompt. The same command gives the same bytes.
"""

import dataclasses
import shutil
import sys
import tempfile
from pathlib import Path

from vidrt_engines.manifest import write_bundle
from vidrt_engines.names import Backend, Precision
from vidrt_engines.settings import Defaults
from vidrt_export.build import build
from vidrt_export.console import Console
from vidrt_export.plan import make_plan
from vidrt_export.sources.diffusers_folder import read_diffusers_folder

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "engines" / "vidrt_engines" / "demo" / "ltx-video"
NOTE = "This demo model is untrained: it shows that everything runs, not what was asked for."
DEFAULTS = Defaults(
    height=128, width=192, num_frames=25, fps=25, num_inference_steps=20, prompt="a red circle moves to the right"
)

sys.path.insert(0, str(ROOT / "tests" / "support"))


def main() -> None:
    """Saves the tiny checkpoint with diffusers and builds its bundle in half precision."""
    import tiny_ltx

    with tempfile.TemporaryDirectory() as work:
        source = Path(work, "ltx-video-0.9.5-demo")
        tiny_ltx.save(source, form="0.9.5", pipeline="LTXConditionPipeline")
        plan = make_plan(
            read_diffusers_folder(source), precision=Precision.FP16, components=(), backends=[Backend.ONNXRUNTIME]
        )
        shutil.rmtree(TARGET, ignore_errors=True)
        bundle = build(plan, TARGET, Console(), NOTE)
    write_bundle(TARGET, dataclasses.replace(bundle, settings=dataclasses.replace(bundle.ltx, defaults=DEFAULTS)))
    size = sum(path.stat().st_size for path in TARGET.rglob("*") if path.is_file())
    print(f"{TARGET.relative_to(ROOT)}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
