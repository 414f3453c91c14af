"""A stand-in for TensorRT's module, either flavour: its engines run ONNX graphs in onnxruntime over `HostCuda`.

A plan is a line of JSON (see `PlanText`). What TensorRT refuses is refused here: shapes outside a profile, tensors
without an address, working memory that is too small or not aligned, recording before a first run, a budget that is set
when contexts are there. It offers only names that the real module has.
"""

from __future__ import annotations

import enum
import json
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from trt_double_context import IExecutionContext

if TYPE_CHECKING:
    from host_cuda import HostCuda


@dataclass
class PlanText:
    """What a double's plan says.

    Attributes:
        graph: the ONNX file that it computes.
        profiles: for each, for each input, its minimum, optimum and maximum shapes.
        workspace: bytes of working memory for each element of the inputs.
        streamable: the bytes of weights that may stay on the host.
        stripped: whether weights have to be put in before it runs.
        recordable: whether a run can be recorded into a graph.
    """

    graph: str
    profiles: list[dict[str, list[list[int]]]] = field(default_factory=list)
    workspace: int = 8
    streamable: int = 0
    stripped: bool = False
    recordable: bool = True

    def content(self) -> bytes:
        """Return the bytes of the plan, with a check sum that finds what is cut off."""
        text = json.dumps(asdict(self)).encode()
        return f"plan:{zlib.crc32(text)}:".encode() + text

    @classmethod
    def read(cls, content: bytes) -> PlanText | None:
        """Return the plan of some bytes, or None if they are none."""
        magic, _, rest = content.partition(b":")
        check, _, text = rest.partition(b":")
        return cls(**json.loads(text)) if magic == b"plan" and check == str(zlib.crc32(text)).encode() else None


class Double:
    """A module of one flavour over one device, and what it was asked to do."""

    def __init__(self, cuda: HostCuda, *, name: str = "tensorrt_rtx", version: str = "1.7.1.116") -> None:
        self.cuda = cuda
        self.events: list[str] = []
        self.engines: list[ICudaEngine] = []
        self.contexts: list[IExecutionContext] = []
        self.configs: list[IRuntimeConfig] = []
        self.fails: str | None = None  # the message with which runs fail
        self.module: Any = ModuleType(name)
        for part in (*COMMON, *(RTX_ONLY if name == "tensorrt_rtx" else ())):
            setattr(self.module, part.__name__, part)
        self.module.Runtime = type("Runtime", (Runtime,), {"double": self})
        self.module.__version__ = version


class ExecutionContextAllocationStrategy(enum.Enum):
    STATIC = 0
    ON_PROFILE_CHANGE = 1
    USER_MANAGED = 2


class CudaGraphStrategy(enum.Enum):
    DISABLED = 0
    WHOLE_GRAPH_CAPTURE = 1


class DynamicShapesKernelSpecializationStrategy(enum.Enum):
    LAZY = 0
    EAGER = 1
    NONE = 2


class SeekPosition(enum.Enum):
    SET = 0
    CUR = 1
    END = 2


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    def log(self, severity: int, msg: str) -> None:
        raise NotImplementedError


class IStreamReaderV2:
    pass


class Runtime:
    double: Double

    def __init__(self, logger: Any) -> None:
        assert isinstance(logger, ILogger)
        self._logger = logger

    def deserialize_cuda_engine(self, stream_reader_v2: Any) -> Any:
        assert stream_reader_v2.seek(0, SeekPosition.SET)
        plan = PlanText.read(b"".join(iter(lambda: stream_reader_v2.read(1000, 0), b"")))
        if plan is None:
            self._logger.log(
                ILogger.ERROR, "IRuntime::deserializeCudaEngine: Error Code 1: Magic tag does not match.\n"
            )
            return None
        self.double.engines.append(ICudaEngine(plan, self._logger, self.double))
        return self.double.engines[-1]


class ICudaEngine:
    def __init__(self, plan: PlanText, logger: Any, double: Double) -> None:
        self._plan, self._logger, self._double = plan, logger, double
        self._is_whole, self._has_contexts = not plan.stripped, False
        self._budget = plan.streamable

    @property
    def device_memory_size_v2(self) -> int:
        most = [sum(int(np.prod(shapes[2])) for shapes in profile.values()) for profile in self._plan.profiles]
        return self._plan.workspace * max(most, default=0)

    @property
    def streamable_weights_size(self) -> int:
        return self._plan.streamable

    @property
    def weight_streaming_budget_v2(self) -> int:
        return self._budget

    @weight_streaming_budget_v2.setter
    def weight_streaming_budget_v2(self, budget: int) -> None:
        assert not self._has_contexts, "the budget is set when contexts are there"
        assert 0 <= budget <= self._plan.streamable
        self._budget = budget

    def create_runtime_config(self) -> IRuntimeConfig:
        self._double.configs.append(IRuntimeConfig(self._double))
        return self._double.configs[-1]

    def create_execution_context(self, config: Any) -> Any:
        strategy = config if isinstance(config, enum.Enum) else config._strategy
        assert strategy is ExecutionContextAllocationStrategy.USER_MANAGED
        if not self._is_whole:
            self._logger.log(ILogger.ERROR, "weights are missing")
            return None
        self._has_contexts = True
        self._double.contexts.append(IExecutionContext(self._plan, self._logger, self._double))
        return self._double.contexts[-1]


class IRuntimeConfig:
    def __init__(self, double: Double) -> None:
        self.cuda_graph_strategy = CudaGraphStrategy.DISABLED
        self.dynamic_shapes_kernel_specialization_strategy = DynamicShapesKernelSpecializationStrategy.LAZY
        self._strategy, self._double = ExecutionContextAllocationStrategy.STATIC, double

    def set_execution_context_allocation_strategy(self, strategy: ExecutionContextAllocationStrategy) -> None:
        self._strategy = strategy

    def create_runtime_cache(self) -> IRuntimeCache:
        return IRuntimeCache(self._double)

    def set_runtime_cache(self, cache: IRuntimeCache) -> bool:
        return isinstance(cache, IRuntimeCache)


class IRuntimeCache:
    def __init__(self, double: Double) -> None:
        self._content, self._double = b"kernels of this run", double

    def deserialize(self, blob: bytes) -> bool:
        if not blob.startswith(b"kernels"):
            return False
        self._content = blob
        self._double.events.append("cache read")
        return True

    def serialize(self) -> memoryview:
        return memoryview(self._content)


class Refitter:
    def __init__(self, engine: ICudaEngine, logger: Any) -> None:
        assert isinstance(logger, ILogger)
        self._engine = engine


class OnnxParserRefitter:
    def __init__(self, refitter: Refitter, logger: Any) -> None:
        self._engine, self._logger = refitter._engine, logger

    def refit_from_file(self, model: str) -> bool:
        if Path(model).read_bytes() != Path(self._engine._plan.graph).read_bytes():
            self._logger.log(ILogger.ERROR, "the model does not fit")
            return False
        self._engine._is_whole = True
        self._engine._double.events.append("refit")
        return True


COMMON = (
    ExecutionContextAllocationStrategy, SeekPosition, ILogger, IStreamReaderV2, Runtime, ICudaEngine, IExecutionContext,
    IRuntimeConfig, Refitter, OnnxParserRefitter,
)  # fmt: skip
RTX_ONLY = (CudaGraphStrategy, DynamicShapesKernelSpecializationStrategy, IRuntimeCache)
