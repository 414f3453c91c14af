"""A bundle's engines, opened when their phase begins and closed when it ends."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidrt_engines.graphs import half_name
from vidrt_engines.manifest import BundleFile, Engine, Stage, bundle_path
from vidrt_engines.names import Backend, Component, Precision

from vidrt.arrays import FloatArray
from vidrt.cpu import computes_bf16
from vidrt.cuda.arrays import MixedArray
from vidrt.cuda.driver import has_bindings
from vidrt.devices import Device
from vidrt.errors import EngineError
from vidrt.heap import release_free_memory
from vidrt.sessions.base import Session
from vidrt.sessions.batches import joined, split
from vidrt.sessions.fitting import VideoSize, refusal
from vidrt.sessions.onnxruntime import OnnxruntimeSession
from vidrt.sessions.openvino import OpenvinoSession
from vidrt.sessions.resources import Resources
from vidrt.sessions.tensorrt import TensorrtSession

# onnxruntime computes in half precision on CUDA alone, and has kernels for these: of the VAEs some operators have none
_HALF_ON_CUDA = {Component.TEXT_ENCODER, Component.TRANSFORMER}


def file_to_open(engine: Engine, component: Component, device: Device) -> BundleFile:
    """The file of an engine to open on a device: the first, or its graph in half precision where that is computed."""
    half = half_name(engine.files[0].path)
    graphs = [file for file in engine.files if file.path == half] if _computes_half(engine, component, device) else []
    return (*graphs, engine.files[0])[0]


def _computes_half(engine: Engine, component: Component, device: Device) -> bool:
    if engine.backend is Backend.OPENVINO:
        return engine.precision is Precision.BF16 and computes_bf16()
    return engine.backend is Backend.ONNXRUNTIME and device.kind == "cuda" and component in _HALF_ON_CUDA


class ComponentEngine:
    """The engine of one component: opened on first use, kept open while it is held.

    Args:
        component: what it is.
        engine: as the manifest describes it.
        folder: the bundle's.
        place: where it runs, or what it shares with the other engines of its pipeline.
        keep_loaded: stay open between phases.
    """

    def __init__(
        self,
        component: Component,
        engine: Engine,
        folder: Path,
        place: Device | Resources,
        *,
        keep_loaded: bool = False,
    ) -> None:
        self.component, self.engine, self._keep_loaded = component, engine, keep_loaded
        self._may_stay = True
        self._resources = place if isinstance(place, Resources) else Resources(place)
        self._folder, self._path = folder, bundle_path(folder, file_to_open(engine, component, self.device).path)
        self._session: Session | None = None
        self._holders = 0
        # What does the same on some frames after the other, each opened by itself. Its state begins with no frames,
        # which only onnxruntime has been seen to take.
        self.stages: tuple[ComponentEngine, ...] = tuple(
            ComponentEngine(component, _of_stage(engine, stage), folder, self._resources, keep_loaded=keep_loaded)
            for stage in (engine.stages if engine.backend.plays is Backend.ONNXRUNTIME else ())
        )

    @property
    def device(self) -> Device:
        """Where the engine runs."""
        return self._resources.device

    @property
    def memory_limit(self) -> int | None:
        """Bytes that a process on the CPU may take of its own, or an engine on a device; None is all there is."""
        return self._resources.memory_limit

    @property
    def keeps_loaded(self) -> bool:
        """Whether it stays open between phases."""
        return self._keep_loaded and self._may_stay

    def stay_open(self, allowed: bool) -> None:
        """Allows that it stays open between phases, if it is to, or closes it."""
        self._may_stay = allowed
        for stage in self.stages:
            stage.stay_open(allowed)
        if not allowed:
            self.unload()

    @property
    def provider(self) -> str | None:
        """What runs the engine, or None while it is closed."""
        return self._session.provider if self._session else None

    def refusal(self, sizes: Mapping[str, int], video: VideoSize) -> str | None:
        """Says in a sentence which sizes of its inputs' axes the engine was not built for, or None."""
        return refusal(self.engine, self.component, sizes, self._folder, video)

    def put(self, values: FloatArray) -> Any:
        """Brings values to where the engine computes on them: to the device, if it takes them from there."""
        return self._resources.cuda().put(values) if self._takes_device_arrays() else values

    def load(self) -> Session:
        """Opens the engine, if it is not open."""
        if self._session is None:
            self._resources.release_idle()
            self._session = self._open()
        return self._session

    def unload(self) -> None:
        """Closes the engine, unless somebody holds it or it is to stay loaded."""
        if not self._holders and not self.keeps_loaded:
            self.close()

    def close(self) -> None:
        """Closes the engine and its stages, whoever holds them."""
        for stage in self.stages:
            stage.close()
        if self._session:
            self._session.close()
            self._session = None
            release_free_memory()  # what lies between blocks of the heap would stay beside the next engine

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the engine open for a phase of several runs and closes it at the end."""
        self._holders += 1
        try:
            self.load()
            yield
        finally:
            self._holders -= 1
            self.unload()

    def run(self, arrays: Mapping[str, MixedArray]) -> dict[str, Any]:
        """Runs the engine on named arrays; one that nobody holds is opened for this run alone."""
        with self.held():
            session = self.load()
            return joined([session.run(part) for part in split(self.engine, arrays)])

    def _takes_device_arrays(self) -> bool:
        if self.engine.backend.plays is not Backend.ONNXRUNTIME:
            return True
        # onnxruntime-gpu does without NVIDIA's bindings, and then takes all values from the host
        return self.device.kind == "cuda" and has_bindings()

    def _open(self) -> Session:
        if self.engine.backend is Backend.OPENVINO:
            return OpenvinoSession(self._path, self.engine, self.component.spoken)
        if self.engine.backend is not Backend.ONNXRUNTIME:
            return TensorrtSession(self._folder, self.engine, self.component, self._resources)
        plain = bundle_path(self._folder, self.engine.files[0].path)
        try:
            return OnnxruntimeSession(self._path, self.engine, self.device, self.component.spoken)
        except EngineError as error:
            if self._path == plain:
                raise
            # an onnxruntime may lack a kernel in half precision: the other graph needs none
            self._resources.note(f"{str(error).removesuffix('.')}: it is computed in fp32.")
            return OnnxruntimeSession(plain, self.engine, self.device, self.component.spoken)


def _of_stage(engine: Engine, stage: Stage) -> Engine:
    """A stage as an engine of its own: its graph is the one to open."""
    files = tuple(sorted(engine.files, key=lambda file: file.path != stage.file))
    own = {name: getattr(stage, name) for name in ("inputs", "outputs", "activations", "operations")}
    return dataclasses.replace(engine, files=files, stages=(), **own)
