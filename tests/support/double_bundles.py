"""Bundles with plans of the TensorRT double, made from the graphs of a bundle for onnxruntime."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from typing import TYPE_CHECKING, Any

from trt_double import PlanText
from vidrt_engines.axes import axis_sizes
from vidrt_engines.manifest import BundleFile, Engine, read_bundle, write_bundle
from vidrt_engines.names import Backend, Component
from vidrt_engines.platforms import platform_name
from vidrt_engines.profiles import Span

if TYPE_CHECKING:
    from pathlib import Path

    from vidrt_engines.manifest import Bundle

GPU, CAPABILITY = "NVIDIA L4", "8.9"
VERSIONS = {Backend.TENSORRT: "11.4.0.9", Backend.TENSORRT_RTX: "1.7.1.116"}
# minimum, optimum and maximum of height, width, frames, tokens of text
SMALL = ((32, 32, 1, 1), (64, 64, 9, 64), (96, 96, 17, 256))


def with_plans(
    source: Path, folder: Path, backend: Backend = Backend.TENSORRT_RTX, *, components: tuple[str, ...] = (),
    sizes: tuple[Any, ...] = (SMALL,), batch: int = 1, key: dict[str, str] | None = None, **plan: Any,
) -> Path:  # fmt: skip
    """Copy a bundle and add plans: one for each component, or for those that are named."""
    if not folder.exists():
        shutil.copytree(source, folder)
    bundle = _whole(read_bundle(folder))
    for component in components or tuple(bundle.engines):
        engine = _engine(bundle, folder, Component(component), backend, sizes, batch, plan)
        engine = dataclasses.replace(engine, key={**engine.key, **(key or {})})
        bundle = bundle.with_engine(Component(component), engine)
    write_bundle(folder, bundle)
    return folder


def _whole(bundle: Bundle) -> Bundle:
    """The bundle without stages: a plan decodes all frames at once, and so does what its frames are compared with."""
    engines = {
        name: tuple(dataclasses.replace(engine, stages=()) for engine in group)
        for name, group in bundle.engines.items()
    }
    return dataclasses.replace(bundle, engines=engines)


def _engine(
    bundle: Bundle, folder: Path, component: Component, backend: Backend, sizes: Any, batch: int, plan: dict[str, Any]
) -> Engine:
    (graph,) = (e for e in bundle.engines[component] if e.backend is Backend.ONNXRUNTIME)
    most = batch if component is Component.TRANSFORMER else 1
    profiles = tuple(_profile(bundle, graph, ends, most) for ends in sizes)
    place = f"{component}/{backend}-fp32-double"
    (folder / place).mkdir(exist_ok=True)
    shapes = [{spec.name: _ends(spec, profile) for spec in graph.inputs} for profile in profiles]
    text = PlanText(graph=str(folder / graph.files[0].path), profiles=shapes, **plan)
    content = text.content()
    (folder / place / "model.plan").write_bytes(content)
    file = BundleFile(path=f"{place}/model.plan", bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    return Engine(
        backend=backend, precision=graph.precision, files=(file,), inputs=graph.inputs, outputs=graph.outputs,
        key=_key(backend), profiles=profiles,
    )  # fmt: skip


def _key(backend: Backend) -> dict[str, str]:
    return {
        "tensorrt": VERSIONS[backend], "cuda": "13", "gpu": GPU, "compute_capability": CAPABILITY,
        "platform": platform_name(), "weights_in": "plan",
    }  # fmt: skip


def _profile(bundle: Bundle, graph: Engine, ends: Any, batch: int) -> dict[str, Span]:
    low, middle, high = (
        axis_sizes(bundle.ltx, height=h, width=w, num_frames=f, text_tokens=t, batch=b)
        for (h, w, f, t), b in zip(ends, (1, 1, batch), strict=True)
    )
    axes = {axis for spec in graph.inputs for axis in spec.axes if not axis.isdigit()}
    high["timestep_tokens"] = high["tokens"]  # those of conditions have timesteps of their own
    return {axis: Span(min=low[axis], opt=middle[axis], max=high[axis]) for axis in sorted(axes)}


def _ends(spec: Any, profile: dict[str, Span]) -> list[list[int]]:
    return [
        [int(axis) if axis.isdigit() else getattr(profile[axis], end) for axis in spec.axes]
        for end in ("min", "opt", "max")
    ]
