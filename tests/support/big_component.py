"""Builds a component of 300 MB in a process of its own and prints by how much that raised the process's peak memory.

python big_component.py CHECKPOINT FOLDER PRECISION
"""

import dataclasses
import json
import resource
import struct
import sys
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from vidrt_engines.components import Signature
from vidrt_engines.names import Backend, Component, Precision
from vidrt_engines.tensors import TensorSpec
from vidrt_export.build import build
from vidrt_export.console import Console
from vidrt_export.part import Part
from vidrt_export.plan import make_plan
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_reference.checkpoint.stored import read_header

# of the large one: twenty weights of 4 MB and one of 220 MB
LARGE, NARROW, TALL, DEPTH = 5000, 1000, 55_000, 20
SMALL = 40


class Module(nn.Module):
    """Many layers and a much larger one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow, tall = widths(width)
        self.layers = nn.Sequential(*(nn.Linear(narrow, narrow) for _ in range(DEPTH)))
        self.last = nn.Linear(narrow, tall)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, narrow) to (B, tall)."""
        result: Tensor = self.last(self.layers(latents))
        return result


def widths(width: int) -> tuple[int, int]:
    """Return how wide the many and the last layer are."""
    return width * NARROW // LARGE, width * TALL // LARGE


def part(folder: Path, width: int) -> Part:
    """Return a component whose weights are zeros that take no disk."""
    path = folder / f"{width}.safetensors"
    entries, end = {}, 0
    with torch.device("meta"):
        state = Module(width).state_dict()
    for name, value in state.items():
        entries[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [end, end + 4 * value.numel()]}
        end += 4 * value.numel()
    header = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with path.open("r+b") as file:
        file.truncate(8 + len(header) + end)
    narrow, tall = (("batch", str(size)) for size in widths(width))
    spec = partial(TensorSpec, dtype="float32")
    signature = Signature(inputs=(spec(name="latents", axes=narrow),), outputs=(spec(name="velocity", axes=tall),))
    return Part(
        component=Component.TRANSFORMER, signature=signature, config={"width": width}, make=partial(Module, width),
        tensors=read_header(path), sizes={"batch": 2},
    )  # fmt: skip


def peak() -> int:
    """Return the process's peak memory in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Build a small component, so that everything is loaded, and then the large one."""
    source, folder, precision = Path(sys.argv[1]), Path(sys.argv[2]), Precision(sys.argv[3])
    peaks = []
    for width in (SMALL, LARGE):
        one = part(folder, width)
        checkpoint = dataclasses.replace(read_diffusers_folder(source), parts={one.component: one})
        plan = make_plan(checkpoint, precision=precision, components=(), backends=[Backend.ONNXRUNTIME])
        build(plan, folder / f"bundle-{width}", Console(quiet=True))
        peaks.append(peak())
    print(json.dumps({"weights": one.weight_bytes, "written": plan.disk_bytes, "added": peaks[1] - peaks[0]}))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
