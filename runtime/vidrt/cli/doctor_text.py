"""The words of `vidrt doctor`."""

import platform
from collections.abc import Sequence
from importlib.metadata import version

from vidrt_engines.cuda_driver import cuda_driver
from vidrt_engines.names import Backend
from vidrt_engines.platforms import platform_name
from vidrt_engines.tensorrt_wheels import library_cuda

from vidrt import cpu
from vidrt.diagnosis import BundleReport, EngineReport, Readiness
from vidrt.libraries import Library, cuda_bindings, has_h264, onnxruntime_wheels, player, pyav
from vidrt.validity import Invalid, Unknown

_GIB, _MB, _KB = 2**30, 10**6, 10**3
_SMALL = 10 * _MB
_REINSTALL = "run: pip uninstall onnxruntime onnxruntime-gpu, then pip install 'vidrt[cpu]' or 'vidrt[cuda]'"


def machine_lines(machine: Sequence[Readiness]) -> list[str]:
    """What there is of Python, drivers and libraries, and which backends can be used."""
    rows = [
        ("vidrt", f"{version('vidrt')} with Python {platform.python_version()} on {platform_name()}"),
        ("CPU", _cpu()),
        *_gpu_rows(),
        *_onnxruntime_rows(),
        (player(Backend.OPENVINO).name, _openvino()),
        *((player(backend).name, _tensorrt(backend)) for backend in (Backend.TENSORRT, Backend.TENSORRT_RTX)),
        ("cuda-bindings", _version(cuda_bindings(Backend.TENSORRT))),
        ("PyAV", _pyav()),
    ]
    backends = [(ready.backend, str(ready.device), _answer(ready)) for ready in machine]
    return [*_table(rows), "", "What can play engines here, the fastest first", *_table(backends, indent=2)]


def bundle_lines(report: BundleReport) -> list[str]:
    """What a bundle holds and which of its engines are valid here."""
    bundle, defaults = report.bundle, report.bundle.settings.defaults
    sizes = f"{defaults.height}x{defaults.width}, {defaults.num_frames} frames at {defaults.fps:g} a second"
    lines = [
        "",
        f"Bundle {report.folder}",
        f"  {bundle.family.spoken} {bundle.model_version}, {bundle.settings.pipeline_class}, {sizes}",
    ]
    lines += [f"  {bundle.note}"] if bundle.note else []
    heads = _table([_engine_row(engine) for engine in report.engines], indent=2)
    for head, engine in zip(heads, report.engines, strict=True):
        lines += [head, *(f"    {line}" for line in _details(engine))]
    lines += [f"  {problem}" for problem in report.problems]
    where = " or ".join(f"--device {device}" for device in report.devices)
    return [*lines, f"  plays here with {where}" if where else "  does not play here"]


def _gpu_rows() -> list[tuple[str, str]]:
    driver = cuda_driver()
    runs = f"runs CUDA up to {driver.cuda_version}"
    told = "; ".join(([runs] if driver.cuda_version else []) + ([driver.problem] if driver.problem else []))
    gpus = [
        f"{gpu.name}, compute capability {gpu.compute_capability}, {gpu.memory_bytes / _GIB:.1f} GiB"
        for gpu in driver.gpus
    ]
    return [("CUDA driver", told), *((f"cuda:{index}", gpu) for index, gpu in enumerate(gpus))]


def _onnxruntime_rows() -> list[tuple[str, str]]:
    library, wheels = player(Backend.ONNXRUNTIME), onnxruntime_wheels()
    if library.module is None:
        return [("onnxruntime", _version(library))]
    providers = ", ".join(library.module.get_available_providers())
    found = f"{library.version} ({', '.join(wheels) or 'no wheel'}): {providers}"
    warning = f"warning: {' and '.join(wheels)} are both installed and one hides the other; {_REINSTALL}"
    return [("onnxruntime", found), *([("", warning)] if len(wheels) > 1 else [])]


def _cpu() -> str:
    """Its name, and what it has for bf16 and int8, or else its widest vectors."""
    known = cpu.flags() or frozenset()
    special = [flag for flag in (*cpu.BF16, *cpu.INT8) if flag in known]
    widest = [flag for flag in cpu.VECTORS if flag in known][:1]
    found = special + widest if special else [*widest, "no bf16", "no int8"] if known else []
    return ", ".join([cpu.name(), *found])


def _openvino() -> str:
    library = player(Backend.OPENVINO)
    if library.module is None:
        return _version(library)
    release, _, _ = (library.version or "").partition("-")
    return f"{release}, computes bf16 engines in {'bf16' if cpu.computes_bf16() else 'fp32'} here"


def _tensorrt(backend: Backend) -> str:
    cuda = library_cuda(backend)
    library = player(backend)
    return _version(library) + (f" for CUDA {cuda}" if library.module and cuda else "")


def _pyav() -> str:
    library = pyav()
    if library.module is None:
        return _version(library)
    return f"{library.version} {'with' if has_h264(library.module) else 'without'} H.264"


def _version(library: Library) -> str:
    if library.problem:
        return library.problem.removeprefix(f"{library.name} is ")
    return library.version or "unknown version"


def _answer(ready: Readiness) -> str:
    return f"no: {ready.obstacle}" if ready.obstacle else "yes"


def _engine_row(report: EngineReport) -> tuple[str, ...]:
    engine = report.engine
    size = _size(sum(file.bytes for file in engine.files))
    words = {Invalid: "not valid", Unknown: "cannot be checked here"}
    found = words.get(type(report.validity), "valid")
    return report.component, engine.backend, engine.precision, size, found


def _size(count: int) -> str:
    return f"{count / _KB:,.0f} kB" if count < _SMALL else f"{count / _MB:,.0f} MB"


def _details(report: EngineReport) -> list[str]:
    profiles = [
        "profile " + ", ".join(f"{axis} {span}" for axis, span in profile.items()) for profile in report.engine.profiles
    ]
    match report.validity:
        case Invalid(field=field, engine=engine, here=here, cure=cure):
            return [*profiles, f"{field}: the engine's is {engine}, here it is {here}", cure]
        case Unknown(reason=reason):
            return [*profiles, reason]
        case valid:
            return [*profiles, *([valid.note] if valid.note else [])]


def _table(rows: Sequence[tuple[str, ...]], *, indent: int = 0) -> list[str]:
    """Rows with their columns aligned, the last one as long as it is."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    cells = (
        " " * indent + "  ".join(f"{c:{w}}" for c, w in zip(row, widths, strict=False)) + f"  {row[-1]}" for row in rows
    )
    return [line.rstrip() for line in cells]
