"""The embedded bundle at its smallest, and settings of any kind."""

import contextlib
import dataclasses
import json
import shutil
import sys
from dataclasses import dataclass

import pytest
import tiny_bundles
from double_bundles import CAPABILITY, GPU, VERSIONS, with_plans
from host_cuda import HostCuda
from machines import driver, gpu, pretend
from trt_double import Double
from vidrt.pipelines.load import load_pipeline
from vidrt.sessions import component_engine, resources
from vidrt.sessions.tensorrt_library import MODULES
from vidrt_engines.manifest import write_bundle
from vidrt_engines.names import Backend
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle
from vidrt_engines.settings import Defaults, LtxSettings, SchedulerSettings


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """The user's cache, empty in each test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def make_settings():
    """Settings of a bundle without its engines: two latent channels, all else LTX-Video's."""

    def make(**changes):
        values = {
            "pipeline_class": "LTXPipeline",
            "scheduler": SchedulerSettings(),
            "latent_channels": 2,
            "spatial_compression": 32,
            "temporal_compression": 8,
            "rope_width": 32,
            "latents_mean": (0.5, -0.25),
            "latents_std": (1.5, 0.1),
        }
        return LtxSettings(**{**values, **changes})

    return make


@pytest.fixture
def small():
    """The options of a run that takes no time: 12 latent tokens, 3 steps."""
    return {"height": 64, "width": 64, "num_frames": 9, "num_inference_steps": 3, "seed": 7}


@pytest.fixture
def demo():
    """The embedded bundle's pipeline."""
    with load_pipeline(DEFAULT_BUNDLE, device="cpu") as pipeline:
        yield pipeline


@pytest.fixture
def demo_copy(tmp_path):
    """A copy of the embedded bundle that a test may damage."""
    return shutil.copytree(find_bundle(DEFAULT_BUNDLE), tmp_path / "bundle")


@pytest.fixture
def any_version(demo_copy):
    """A copy of the embedded bundle that does not say which versions its files may be."""
    path = demo_copy / "bundle.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["settings"].pop("versions")
    path.write_text(json.dumps(content), encoding="utf-8")
    return demo_copy


@pytest.fixture(scope="session")
def plan():
    """The bytes of a real plan of TensorRT for RTX."""
    pytest.importorskip("tensorrt_rtx")
    from tiny_plans import build_plan

    return build_plan()


@dataclass
class Machine:
    """A machine with a GPU, of doubles: its CUDA and both flavours of TensorRT."""

    cuda: HostCuda
    flavours: dict[str, Double]


@pytest.fixture
def gpu_machine(monkeypatch, tmp_path):
    """A machine with a GPU; what is left of its memory at the end of a test is a leak."""
    cuda = HostCuda()
    machine = Machine(cuda, {str(b): Double(cuda, name=MODULES[b], version=VERSIONS[b]) for b in VERSIONS})
    pretend(monkeypatch, driver(gpu(GPU, CAPABILITY)), tensorrt="11.4.0.9", tensorrt_rtx="1.7.1.116")
    for double in machine.flavours.values():
        monkeypatch.setitem(sys.modules, double.module.__name__, double.module)
    monkeypatch.setattr(resources, "DriverCuda", lambda _: cuda)
    monkeypatch.setenv("VIDRT_HOME", str(tmp_path / "home"))
    yield machine
    assert cuda.leaks == {}


@pytest.fixture(scope="session")
def tiny_bundle(checkpoints, tmp_path_factory):
    """A bundle of the tiny 0.9.5 in half precision, with defaults as an embedded one has."""
    folder = tmp_path_factory.mktemp("tiny") / "bundle"
    bundle = tiny_bundles.build(checkpoints("0.9.5", "LTXConditionPipeline"), folder, precision="fp16")
    defaults = Defaults(
        height=128, width=192, num_frames=25, num_inference_steps=20, prompt="a red circle moves to the right"
    )
    write_bundle(folder, dataclasses.replace(bundle, settings=dataclasses.replace(bundle.ltx, defaults=defaults)))
    return folder


@pytest.fixture
def planned(tmp_path, tiny_bundle):
    """Makes a copy of a bundle, a tiny one unless told otherwise, with plans beside its graphs."""

    def make(backend=Backend.TENSORRT_RTX, source=None, **options):
        return with_plans(source or tiny_bundle, tmp_path / "planned", backend, **options)

    return make


class Notes:
    """Progress that remembers what it was told."""

    def __init__(self):
        self.lines, self.steps = [], 0

    @contextlib.contextmanager
    def task(self, name, *, total, unit="step"):
        self.lines.append(f"{name}: {total} {unit}")
        yield self

    def advance(self, count=1):
        self.steps += count

    def note(self, line):
        self.lines.append(line)


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def opened(monkeypatch):
    """Every engine that is opened or closed from here on, in order, as ("open", "text encoder")."""
    events = []

    class Watched(component_engine.OnnxruntimeSession):
        def __init__(self, path, engine, device, what):
            super().__init__(path, engine, device, what)
            events.append(("open", what))

        def close(self):
            super().close()
            events.append(("close", self._what))

    monkeypatch.setattr(component_engine, "OnnxruntimeSession", Watched)
    return events


@pytest.fixture
def sentence():
    """Checks that an error is one sentence, and gives it."""

    def check(error):
        text = str(getattr(error, "value", error))
        assert "\n" not in text
        assert text.endswith(".")
        assert len(text) > 20
        return text

    return check
