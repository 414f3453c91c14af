"""Draws docs/images/peers.png from docs/benchmarks/peers.json: seconds by phase and memory at the peak.

    python benchmarks/chart.py [CASE [FILE]]

Wants matplotlib (`pip install "vidrt[benchmarks]"`). CASE is one of the whole runs in the file, by default the longest
that was measured of those that `peers.py` takes when it is given none.
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl
from peers_cases import ESSENTIAL

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

DOCS = Path(__file__).resolve().parent.parent / "docs"
PHASES = {"start": "start: imports, opening, compiling", "text": "text", "denoise": "denoising", "decode": "decoding"}
MEMORY = {"anonymous_mb": "the process's own", "mapped_mb": "mapped files, which the system may drop"}
# Okabe and Ito's: told apart by readers who see colours otherwise, and in grey.
COLOURS = {
    "start": "#bbbbbb", "text": "#e69f00", "denoise": "#0072b2", "decode": "#56b4e9",
    "anonymous_mb": "#009e73", "mapped_mb": "#a6dccb",
}  # fmt: skip
OURS = "vidrt"


def main(case: str | None = None, file: str | None = None) -> None:
    """Draws both panels of one case."""
    found = json.loads((DOCS / "benchmarks" / "peers.json").read_text(encoding="utf-8"))
    name = case or [each for each in ESSENTIAL if each in found["cases"]][-1]
    peers: dict[str, dict] = found["cases"][name]["peers"]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(12, 0.42 * len(peers) + 2), sharey=True, width_ratios=(3, 2), layout="constrained"
    )
    _bars(left, peers, PHASES, "total", scale=1.0, unit="s")
    left.set_xlabel("seconds from the start of the process to the frames")
    left.set_title("Time", loc="left", fontsize=11)
    _bars(right, peers, MEMORY, "resident_mb", scale=1e-3, unit="GB")
    right.set_xlabel("GB resident at the peak")
    right.set_title("Memory", loc="left", fontsize=11)
    for label, title in zip(left.get_yticklabels(), peers, strict=True):
        label.set_fontweight("bold" if title.startswith(OURS) else "normal")
    left.invert_yaxis()
    title = f"{_spoken(found['cases'][name]['what'])}\n{_machine(found['machine'])}"
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    target = Path(file) if file else DOCS / "images" / "peers.png"
    figure.savefig(target, dpi=110)
    print(f"written to {target.name}")


def _bars(axes: Axes, peers: dict[str, dict], parts: dict[str, str], whole: str, *, scale: float, unit: str) -> None:
    """A stacked bar for each peer, with the whole at the end: its own median, which the parts' need not add up to."""
    titles, ends = list(peers), [0.0] * len(peers)
    for key, label in parts.items():
        values = [peer[key] * scale for peer in peers.values()]
        axes.barh(titles, values, left=ends, color=COLOURS[key], label=label, height=0.7)
        ends = [end + value for end, value in zip(ends, values, strict=True)]
    for row, (end, peer) in enumerate(zip(ends, peers.values(), strict=True)):
        told = f"{peer[whole] * scale:.1f} {unit}"
        axes.annotate(told, (end, row), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_xlim(0, max(ends) * 1.15)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=4, fontsize=8, frameon=False)


def _spoken(what: str) -> str:
    layers, _, rest = what.partition("-layers-")
    version, _, request = rest.partition(", ")
    return f"LTX-Video, {layers} of 28 layers at full width, VAE {version}: {request}" if rest else what


def _machine(machine: dict[str, object]) -> str:
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; torch {machine['torch']}, "
        f"openvino {machine['openvino']}, onnxruntime {machine['onnxruntime']}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
