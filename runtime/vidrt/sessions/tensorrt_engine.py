"""A plan, read and made ready to run by either flavour of TensorRT."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from vidrt_engines.manifest import Engine, bundle_path
from vidrt_engines.names import Backend, Component

from vidrt.closing import Closing
from vidrt.cuda.arrays import Shape
from vidrt.cuda.device import CudaDevice
from vidrt.errors import EngineError, OutOfMemoryError
from vidrt.sessions.kernel_cache import KernelCache, cache_path
from vidrt.sessions.resources import Resources
from vidrt.sessions.tensorrt_context import ShapedContext
from vidrt.sessions.tensorrt_library import deserialised, library, logger, refit, set_weight_budget
from vidrt.validity import rebuild

STRIPPED = "stripped"


class TensorrtEngine(Closing):
    """A deserialised plan and the configuration that its contexts share.

    Raises:
        MissingExtraError: the flavour's module is not installed.
        EngineError: the plan cannot be read, lacks its weights, or does not fit the memory limit.
    """

    def __init__(self, folder: Path, engine: Engine, component: Component, resources: Resources) -> None:
        self._trt = library(engine.backend)
        self._log = logger(self._trt)
        self._is_rtx = engine.backend is Backend.TENSORRT_RTX
        self._cache: KernelCache | None = None
        self._runtime = self._trt.Runtime(self._log)
        self._engine = self._read(bundle_path(folder, engine.files[0].path), component)
        if self._engine is None:
            raise _unreadable(engine, component, folder, self._log.told())
        if engine.key.get("weights_in") == STRIPPED:
            refit(self._trt, self._engine, engine, folder, component.spoken)
        if resources.memory_limit is not None:
            set_weight_budget(self._engine, resources.memory_limit, component.spoken)
        self._config = self._configured(engine, component, resources) if self._is_rtx else None

    def context(self, profile: int, shapes: Mapping[str, Shape], device: CudaDevice) -> ShapedContext:
        """A context for one profile and one set of shapes, whose working memory is the device's workspace."""
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = self._engine.create_execution_context(self._config or strategy)
        if context is None:
            raise EngineError(f"TensorRT cannot make the plan ready to run: {self._log.told()}.")
        return ShapedContext(context, profile, shapes, device, captures=not self._is_rtx)

    def told(self, error: EngineError) -> str:
        """Why a run failed, with what TensorRT said of it."""
        told = self._log.take()
        return f"{error} ({told})" if told else str(error).rstrip(".")

    def close(self) -> None:
        """Releases the plan, and keeps the kernels that were compiled for it."""
        if self._cache is not None:
            self._cache.save()
        self._cache = self._config = self._engine = self._runtime = None

    def _read(self, path: Path, component: Component) -> Any:
        try:
            return deserialised(self._trt, self._runtime, path)
        except (RuntimeError, OSError) as error:  # no driver to read with, or no file
            why = str(error).removeprefix("[ERROR] ").rstrip(".")
            raise EngineError(f"TensorRT cannot read the plan of the {component.spoken}: {why}.") from error

    def _configured(self, engine: Engine, component: Component, resources: Resources) -> Any:
        trt = self._trt
        config = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        config.dynamic_shapes_kernel_specialization_strategy = _specialisation(trt, component)
        self._cache = KernelCache(config, cache_path(engine, resources.device, _version(trt)))
        return config


def _version(trt: ModuleType) -> str:
    return str(trt.__version__)


def _specialisation(trt: ModuleType, component: Component) -> Any:
    """When kernels are compiled for the very shapes of a run: at once, or never where each run has others.

    At once, since a denoising loop keeps its shapes, and kernels that change on the way would change a seed's video.
    """
    strategies = trt.DynamicShapesKernelSpecializationStrategy
    return strategies.NONE if component is Component.TEXT_ENCODER else strategies.EAGER


def _unreadable(engine: Engine, component: Component, folder: Path, why: str) -> EngineError:
    if "memory" in why.lower():
        return OutOfMemoryError(
            f"The GPU has not enough memory for the {component.spoken} ({why}): give --memory-limit, or close what "
            f"else uses the GPU."
        )
    return EngineError(
        f"{engine.backend} cannot read the plan of the {component.spoken} ({why}): it is damaged or from another "
        f"version; {rebuild(engine, component, folder)}."
    )
