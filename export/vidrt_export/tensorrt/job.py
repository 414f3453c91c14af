"""What a compiling process is told, and what it gives back."""

from dataclasses import dataclass

from vidrt_engines.names import Backend, Precision

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Initializer:
    """Where the bytes of one weight lie."""

    path: str
    offset: int
    nbytes: int


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the audit of a parsed network should find.

    Attributes:
        precision: in which products, convolutions and attentions are computed.
        attentions: how many there are, each as one layer.
        fused: for how many of them TensorRT has a kernel; the others it takes apart.
        others: how many products and convolutions are in another type by the recipe.
    """

    precision: Precision
    attentions: int
    fused: int
    others: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """One graph to be compiled.

    Attributes:
        graph: the ONNX file; its external weights are `initializers` by name, wherever it says that they lie.
        profiles: for each profile, for each input, its minimum, optimum and maximum shapes.
        plan: the file to write.
        memory_limit: bytes of device memory that a kernel may take as workspace, or None for all there is.
        strip: whether weights are left out of the plan, to be put in when it is opened.
        stream_weights: whether the plan may be run with a part of its weights in host memory.
        timing_cache: a file that remembers what was measured on this GPU, for TensorRT proper.
    """

    backend: Backend
    graph: str
    initializers: dict[str, Initializer]
    profiles: tuple[dict[str, tuple[Shape, ...]], ...]
    plan: str
    expected: Expected
    memory_limit: int | None = None
    strip: bool = False
    stream_weights: bool = False
    timing_cache: str | None = None


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One run of a plan on the GPU.

    Attributes:
        graph: the ONNX file with the weights, for a plan that was stripped of them.
        profile: the number of the profile to run.
        inputs, outputs: arrays by name, as numpy's archives.
    """

    backend: Backend
    plan: str
    profile: int
    inputs: str
    outputs: str
    graph: str | None = None


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What an engine's inspector says: its layers, and how many of them are fused attention."""

    layers: int
    attentions: int


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What was counted in a parsed network, and what is wrong with it.

    Attributes:
        attentions: layers of attention.
        casts: casts between floating-point types.
        heavy: products, convolutions and attentions.
        problems: a sentence for each thing that is wrong.
    """

    attentions: int
    casts: int
    heavy: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a compilation; `peak_bytes` is the compiling process's own memory, mapped weights included."""

    version: str
    audit: Audit
    peak_bytes: int
    seconds: float
