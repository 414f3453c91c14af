"""A video from a prompt, vidrt beside what one would take instead: whole processes, on the same checkpoint and request.

    python benchmarks/full_size_checkpoint.py FOLDER 7
    python benchmarks/peers.py FOLDER [ROUNDS]

7 of the 2B transformer's 28 layers and the whole 0.9.5 VAE, random weights in bf16, guided steps; both sides follow
diffusers' conventions. Each run is a process of its own that prints what `peers_one.py` measured; runs are taken in
turn. Wall seconds are of a machine as busy as it was, `cpu` seconds of the processors, all threads together.
"""

import json
import sys
import tempfile
from pathlib import Path

from measure import in_turn, median, run, write

ONE = Path(__file__).with_name("peers_one.py")
SIZES = {"256x384, 9 frames": (256, 384, 9), "256x384, 25 frames": (256, 384, 25)}
PEERS = {
    "diffusers fp32": ("diffusers", "float32"),
    "diffusers fp32, compiled": ("compiled", "float32"),
    "diffusers bf16": ("diffusers", "bfloat16"),
}
OURS = {"vidrt, bf16 weights": "bf16", "vidrt int8": "int8"}
BASE = "diffusers fp32"


def main(checkpoint: str, rounds: int) -> None:
    """Builds both bundles, then measures all in turn."""
    with tempfile.TemporaryDirectory() as work:
        bundles = {name: _built(checkpoint, Path(work, kind), kind) for name, kind in OURS.items()}
        figures = {}
        for title, size in SIZES.items():
            numbers = [str(number) for number in size]
            commands = {name: [*_own(), kind, checkpoint, dtype, *numbers] for name, (kind, dtype) in PEERS.items()}
            commands |= {name: [*_own(), "vidrt", bundle, "-", *numbers] for name, bundle in bundles.items()}
            measured = in_turn(commands, runs=rounds, warmups=0)
            figures[title] = {name: _row([each.printed for each in runs]) for name, runs in measured.items()}
            _show(title, figures[title])
    write("peers", {"rounds": rounds, "sizes": figures})


def _own() -> list[str]:
    return [sys.executable, str(ONE)]


def _built(checkpoint: str, folder: Path, kind: str) -> str:
    """A bundle in one precision; what has no int8 stays in the checkpoint's own."""
    command = [sys.executable, "-m", "vidrt_export", checkpoint, "--out", str(folder), "--quiet"]
    run(command)
    if kind != "bf16":
        parts = [word for part in ("text_encoder", "transformer") for word in ("--component", part)]
        run([*command, "--precision", kind, *parts])
    return str(folder)


def _row(printed: list[dict[str, float]]) -> dict[str, float]:
    return {key: median([each[key] for each in printed]) for key in printed[0]}


def _show(title: str, rows: dict[str, dict[str, float]]) -> None:
    print(title)
    for name, row in rows.items():
        ratio = row["cpu"] / rows[BASE]["cpu"]
        print(f"  {name:26}", "  ".join(f"{key} {value:.4g}" for key, value in row.items()), f" cpu ratio {ratio:.2f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print(json.dumps({}))
