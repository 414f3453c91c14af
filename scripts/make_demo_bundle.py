"""Makes the bundles that the package embeds from the trained models under demo/, as build-engines makes any other.

    python scripts/make_demo_bundle.py [NAME ...]

The same command gives the same bytes. How the models were trained: training/README.md.
"""

import dataclasses
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from vidrt_engines.manifest import write_bundle
from vidrt_engines.names import Backend, Precision
from vidrt_engines.settings import Defaults
from vidrt_engines.svd_settings import SvdDefaults
from vidrt_export.build import build
from vidrt_export.console import Console
from vidrt_export.plan import make_plan
from vidrt_export.sources.diffusers_folder import read_diffusers_folder

ROOT = Path(__file__).resolve().parent.parent
SOURCES, TARGETS = ROOT / "demo", ROOT / "engines" / "vidrt_engines" / "demo"


@dataclass(frozen=True, kw_only=True)
class Demo:
    """An embedded bundle: its name, what a run of it takes where nothing is asked, and what to know of it."""

    name: str
    defaults: Defaults | SvdDefaults
    note: str


DEMOS = (
    Demo(
        name="ltx-video",
        defaults=Defaults(
            height=128, width=128, num_frames=17, fps=8, num_inference_steps=20,
            prompt="a red circle moves to the right",
        ),
        note="A tiny model that knows coloured circles, squares and triangles, and how they move, grow or shrink.",
    ),
    Demo(
        name="svd",
        defaults=SvdDefaults(height=128, width=128, num_frames=14, fps=7, num_inference_steps=12),
        note="A tiny model that knows pictures of one coloured shape: circles move right, squares left, triangles up.",
    ),
)  # fmt: skip


def main() -> None:
    """Builds the demos that are named, or all."""
    asked = sys.argv[1:]
    for demo in DEMOS:
        if not asked or demo.name in asked:
            make(demo)


def make(demo: Demo) -> None:
    """Builds one bundle in half precision and writes its defaults into it."""
    plan = make_plan(
        read_diffusers_folder(SOURCES / demo.name), precision=Precision.FP16, components=(),
        backends=[Backend.ONNXRUNTIME],
    )  # fmt: skip
    target = TARGETS / demo.name
    shutil.rmtree(target, ignore_errors=True)
    bundle = build(plan, target, Console(), demo.note)
    settings = dataclasses.replace(bundle.settings, defaults=demo.defaults)
    write_bundle(target, dataclasses.replace(bundle, settings=settings))
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target.relative_to(ROOT)}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
