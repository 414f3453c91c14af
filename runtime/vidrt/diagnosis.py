"""What this machine can run, and which of a bundle's engines."""

from dataclasses import dataclass
from pathlib import Path

from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import Bundle, Engine, bundle_path, read_manifest
from vidrt_engines.names import COMPONENTS, OPTIONAL, Backend, Component, Family
from vidrt_engines.places import DEMO_PREFIX, demo_names, find_bundle
from vidrt_engines.versions import VERSIONS

from vidrt.cpu import computes_bf16
from vidrt.devices import Device
from vidrt.engine_files import check_files, check_hashes
from vidrt.libraries import player
from vidrt.plan_header import check_header
from vidrt.progress import Progress
from vidrt.readiness import gpu_of, obstacle
from vidrt.validity import Invalid, Unknown, Valid, Validity, check, rebuild

CPU, GPU = Device(kind="cpu"), Device(kind="cuda")
# What plays engines, the fastest first; on the CPU OpenVINO is the faster one where there are instructions for bf16.
_PREFERENCE = (
    (Backend.TENSORRT, GPU),
    (Backend.TENSORRT_RTX, GPU),
    (Backend.ONNXRUNTIME, GPU),
)
_ON_CPU = (Backend.ONNXRUNTIME, Backend.OPENVINO)


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether a backend can be used on a device; `obstacle` says why not and what to do, or is None."""

    backend: Backend
    device: Device
    obstacle: str | None


@dataclass(frozen=True, kw_only=True)
class EngineReport:
    """An engine of a bundle, whether it is valid here, and on which devices."""

    component: Component
    engine: Engine
    validity: Validity
    devices: tuple[Device, ...]


@dataclass(frozen=True, kw_only=True)
class BundleReport:
    """A bundle as it is found here.

    Attributes:
        folder: where it lies.
        bundle: its manifest.
        engines: each of its engines.
        problems: sentences on what keeps it from being played anywhere.
        devices: those that can play the whole of it, the fastest first.
    """

    folder: Path
    bundle: Bundle
    engines: tuple[EngineReport, ...]
    problems: tuple[str, ...]
    devices: tuple[Device, ...]


def diagnose_machine() -> tuple[Readiness, ...]:
    """Each backend on each kind of device, the fastest first; of several GPUs the first is asked about."""
    on_cpu = [(backend, CPU) for backend in (reversed(_ON_CPU) if computes_bf16() else _ON_CPU)]
    pairs = (*_PREFERENCE, *on_cpu)
    return tuple(Readiness(backend=b, device=device, obstacle=obstacle(b, device)) for b, device in pairs)


def diagnose_bundle(name: str, progress: Progress, *, verify: bool = False) -> BundleReport:
    """Checks every engine of a bundle against its files and this machine.

    Args:
        name: the bundle's folder, or `demo:NAME`.
        progress: told how far the reading of files is.
        verify: reads whole files to compare their hashes, which takes as long as reading gigabytes does.

    Raises:
        BundleError: no such bundle, or a manifest that cannot be read.
    """
    folder = _folder(name)
    bundle = read_manifest(folder)
    engines = tuple(
        _engine(Component(component), engine, folder, progress if verify else None)
        for component, group in bundle.engines.items()
        for engine in group
    )
    problems = tuple(_problems(bundle, folder))
    devices = () if problems else tuple(device for device in (GPU, CPU) if _plays(bundle, engines, device))
    return BundleReport(folder=folder, bundle=bundle, engines=engines, problems=problems, devices=devices)


def cause(report: BundleReport) -> str | None:
    """A clause that says what keeps a bundle from being played here, or None."""
    if report.devices:
        return None
    optional = OPTIONAL[report.bundle.family]
    stuck = (engine for engine in report.engines if not engine.devices and engine.component not in optional)
    clauses = (f"the {engine.component} for {engine.engine.backend}: {_clause(engine.validity)}" for engine in stuck)
    return next(iter((*report.problems, *clauses)), "no device can play all of its engines")


def _folder(name: str) -> Path:
    if name.startswith(DEMO_PREFIX) and name not in demo_names():
        raise BundleError(f"There is no embedded bundle {name}; there is {', '.join(demo_names())}.")
    return find_bundle(name)


def _problems(bundle: Bundle, folder: Path) -> list[str]:
    needed = [name for name in COMPONENTS[bundle.family] if name not in OPTIONAL[bundle.family]]
    missing = [name for name in needed if name not in bundle.engines]
    found = [f"it has no {name} yet; run build-engines with --out {folder} to finish it" for name in missing]
    if bundle.family is not Family.LTX_VIDEO:  # only LTX-Video has versions and a tokenizer
        return found
    if bundle.model_version not in VERSIONS:
        found.insert(0, f"LTX-Video {bundle.model_version} is not known to this vidrt")
    return [*found, *_tokenizer_problems(bundle, folder)]


def _tokenizer_problems(bundle: Bundle, folder: Path) -> list[str]:
    if bundle.tokenizer is None:
        return ["it has no tokenizer; build it again with build-engines"]
    path = bundle_path(folder, bundle.tokenizer.path)
    if not path.is_file() or path.stat().st_size != bundle.tokenizer.bytes:
        return [f"its {bundle.tokenizer.path} is missing or damaged; build it again with build-engines"]
    return []


def _plays(bundle: Bundle, engines: tuple[EngineReport, ...], device: Device) -> bool:
    playable = {engine.component for engine in engines if device in engine.devices}
    return set(COMPONENTS[bundle.family]) - OPTIONAL[bundle.family] <= playable


def _engine(component: Component, engine: Engine, folder: Path, verifying: Progress | None) -> EngineReport:
    cure = rebuild(engine, component, folder)
    damage: Invalid | None = check_files(engine, folder, cure)
    if verifying and not damage:
        damage = check_hashes(engine, folder, cure, verifying)
    found = {device: damage or _on(device, component, engine, folder) for device in (GPU, CPU)}
    devices = tuple(device for device, validity in found.items() if isinstance(validity, Valid))
    home = devices[0] if devices else CPU if engine.backend is Backend.ONNXRUNTIME else GPU
    return EngineReport(component=component, engine=engine, validity=found[home], devices=devices)


def _on(device: Device, component: Component, engine: Engine, folder: Path) -> Validity:
    found = check(engine, device, component=component, folder=folder)
    trt = player(engine.backend).module
    if engine.backend is not Backend.TENSORRT_RTX or device == CPU or isinstance(found, Invalid) or trt is None:
        return found
    path = bundle_path(folder, engine.files[0].path)
    told = check_header(trt, engine, path, gpu_of(device), rebuild(engine, component, folder))
    return told if isinstance(told, Invalid) or isinstance(found, Valid) else found


def _clause(validity: Validity) -> str:
    return validity.reason if isinstance(validity, Unknown) else str(validity)
