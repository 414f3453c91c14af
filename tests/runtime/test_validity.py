"""An engine's key against a machine: each field that differs, and what cannot be said."""

import dataclasses
import sys

import pytest
from machines import NO_DRIVER, driver, gpu, pretend
from vidrt import readiness, validity
from vidrt.devices import Device
from vidrt.validity import Invalid, Unknown, Valid, check, problem, rebuild
from vidrt_engines.manifest import BundleFile, Engine
from vidrt_engines.names import Backend, Component, Precision

GPU = Device(kind="cuda")
HOPPER = {
    "tensorrt": "11.4.0.9",
    "cuda": "13",
    "platform": "linux-x86_64",
    "gpu": "NVIDIA H200",
    "compute_capability": "9.0",
}
RTX = {**HOPPER, "tensorrt": "1.7.1.116", "gpu": "any", "compute_capability": "8.0 8.6 8.9 12.0+"}


def make_engine(backend, **key):
    return Engine(
        backend=backend,
        precision=Precision.BF16,
        files=(BundleFile(path="transformer/plan", bytes=1, sha256="0"),),
        inputs=(),
        outputs=(),
        key={"weights": "abc", "weights_in": "plan", **key},
    )


def tensorrt(**changes):
    return make_engine(Backend.TENSORRT, **{**HOPPER, **changes})


def rtx(**changes):
    return make_engine(Backend.TENSORRT_RTX, **{**RTX, **changes})


@pytest.fixture
def machine(monkeypatch):
    """A Linux machine with both flavours of TensorRT, and the GPU and the driver that it is given."""

    def have(found, **changes):
        monkeypatch.setattr(validity, "platform_name", lambda: "linux-x86_64")
        pretend(monkeypatch, found, **{"tensorrt": "11.4.0.9", "tensorrt_rtx": "1.7.1.116", **changes})

    return have


@pytest.fixture
def hopper(machine):
    machine(driver())


@pytest.fixture
def ada(machine):
    machine(driver(gpu("NVIDIA GeForce RTX 4090", "8.9")))


@pytest.mark.usefixtures("hopper")
def test_an_engine_of_this_machine_is_valid():
    """Nothing to say of an engine whose every field fits."""
    assert (check(tensorrt(), GPU), problem(tensorrt(), GPU)) == (Valid(), None)


@pytest.mark.parametrize(
    ("field", "other", "words"),
    [
        ("tensorrt", "11.4.0.8", "TensorRT version"),
        ("tensorrt", "11.4.1.9", "TensorRT version"),
        ("tensorrt", "11.4", "TensorRT version"),
        ("cuda", "12", "CUDA version"),
        ("cuda", "12.9", "CUDA version"),
        ("platform", "windows-x86_64", "platform"),
        ("platform", "linux-aarch64", "platform"),
        ("compute_capability", "10.0", "compute capability"),
        ("compute_capability", "8.9", "compute capability"),
        ("gpu", "NVIDIA H100 80GB HBM3", "GPU"),
        ("gpu", "NVIDIA H200 MIG 1g.18gb", "GPU"),
    ],
)
@pytest.mark.usefixtures("hopper")
def test_each_field_that_differs_is_named(field, other, words, tmp_path):
    """Whatever differs is named with both values and the command that mends it."""
    folder = tmp_path / "a bundle"
    found = check(tensorrt(**{field: other}), GPU, component=Component.TRANSFORMER, folder=folder)
    assert found == Invalid(
        field=words,
        engine=other,
        here=HOPPER[field],
        cure=f"run: build-engines SOURCE --out '{folder}' --backend tensorrt --precision bf16 --component transformer",
    )
    clause = problem(tensorrt(**{field: other}), GPU)
    assert clause == (
        f"its {words} is {other} and here it is {HOPPER[field]}; "
        f"run: build-engines SOURCE --out BUNDLE --backend tensorrt --precision bf16 --component COMPONENT"
    )


@pytest.mark.usefixtures("hopper")
def test_a_wheel_that_was_packed_again_has_the_same_library():
    """A wheel's version may end in more than its library's."""
    assert check(tensorrt(tensorrt="11.4.0.9.post1"), GPU) == Valid()
    assert check(tensorrt(tensorrt="post1"), GPU) != Valid()


@pytest.mark.parametrize("field", ["cuda", "platform", "gpu"])
@pytest.mark.usefixtures("hopper")
def test_any_fits_every_machine(field):
    """A field that is "any", or that the builder could not tell or left out, is not compared."""
    engine = tensorrt()
    assert check(tensorrt(**{field: "any"}), GPU) == Valid()
    assert check(tensorrt(**{field: ""}), GPU) == Valid()
    del engine.key[field]
    assert check(engine, GPU) == Valid()


@pytest.mark.usefixtures("hopper")
def test_of_cuda_the_major_version_counts():
    """Libraries for CUDA 13.1 are libraries for CUDA 13."""
    assert check(tensorrt(cuda="13.1"), GPU) == Valid()


@pytest.mark.parametrize("field", ["tensorrt", "compute_capability"])
@pytest.mark.usefixtures("hopper")
def test_a_key_without_what_matters_most_is_not_trusted(field):
    """Without the library's version or the compute capability nobody can say that an engine fits."""
    engine = tensorrt()
    del engine.key[field]
    for silent in (engine, tensorrt(**{field: ""})):
        found = check(silent, GPU)
        assert isinstance(found, Unknown)
        assert found.reason.startswith("bundle.json does not tell its ")


@pytest.mark.usefixtures("ada")
def test_an_engine_built_ahead_of_time_runs_where_it_reaches():
    """One of TensorRT for RTX runs on the compute capabilities that it was built for, on Linux and Windows alike."""
    assert check(rtx(), GPU) == Valid()
    assert check(rtx(platform="windows-x86_64"), GPU) == Valid()
    assert check(rtx(platform="linux-aarch64"), GPU).field == "platform"
    assert check(rtx(tensorrt="1.7.0.116"), GPU).field == "TensorRT version"
    assert check(rtx(compute_capability="8.6"), GPU).field == "compute capability"


@pytest.mark.usefixtures("hopper")
def test_hopper_is_in_no_list():
    """Compute capability 9.0 lies between those that TensorRT for RTX builds for."""
    found = check(rtx(), GPU)
    assert (found.field, found.engine, found.here) == ("compute capability", "8.0 8.6 8.9 12.0+", "9.0")
    assert check(rtx(compute_capability="9.0"), GPU) == Unknown(
        reason="tensorrt-rtx runs on compute capability 7.5 8.0 8.6 8.9 12.0+, not on 9.0; use tensorrt"
    )


@pytest.mark.parametrize(
    ("targets", "here", "fits"),
    [
        ("9.0", "9.0", True), ("9.0", "9.1", False), ("12.0+", "12.0", True), ("12.0+", "12.1", True),
        ("12.0+", "13.0", True), ("8.0 12.0+", "10.3", False), ("8.9+", "12.0", True), ("8.9+", "8.6", False),
        ("8.9 +", "8.6", False), ("", "8.6", False), ("x+", "8.6", False),
    ],
)  # fmt: skip
def test_targets_of_an_engine(targets, here, fits):
    """A plus means all later ones, in numbers and not in letters; what is no target fits nothing."""
    assert readiness.reaches(targets, here) is fits


def test_without_a_driver_nothing_is_called_invalid(machine):
    """Where no GPU can be asked, an engine that may well be good is unknown; what differs for sure still differs."""
    machine(NO_DRIVER)
    assert check(tensorrt(), GPU) == Unknown(reason="there is no CUDA driver (libcuda.so.1)")
    assert check(rtx(), GPU) == Unknown(reason="there is no CUDA driver (libcuda.so.1)")
    assert problem(rtx(), GPU) == "there is no CUDA driver (libcuda.so.1)"
    assert check(rtx(tensorrt="1.6.0.1"), GPU).field == "TensorRT version"


def test_a_library_that_is_missing_is_named_with_its_extra(machine):
    """Without its library an engine cannot be judged, and the line that installs it is told."""
    machine(driver(), tensorrt=None, tensorrt_rtx=None)
    told = "TensorRT is not installed; run: pip install 'vidrt[tensorrt]'"
    assert check(tensorrt(), GPU) == Unknown(reason=told)
    assert check(tensorrt(platform="windows-x86_64"), GPU).field == "platform"


@pytest.mark.usefixtures("hopper")
def test_cuda_bindings_are_needed_too(monkeypatch):
    """Sessions of TensorRT reach the GPU's memory through cuda-bindings."""
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    told = "cuda-bindings is not installed; run: pip install 'vidrt[tensorrt]'"
    assert check(tensorrt(), GPU) == Unknown(reason=told)


@pytest.mark.parametrize(("version", "ready"), [("12.9", False), ("13.0", True), ("14.0", True)])
def test_a_driver_older_than_the_library(machine, version, ready):
    """A driver runs libraries of its own CUDA's major version and of older ones."""
    machine(driver(cuda_version=version))
    found = check(tensorrt(), GPU)
    told = f"tensorrt here is built for CUDA 13 and the driver runs CUDA up to {version}; update the driver"
    assert found == (Valid() if ready else Unknown(reason=told))


@pytest.mark.usefixtures("hopper")
def test_engines_of_tensorrt_need_a_gpu():
    """On the CPU, or on a GPU that is not there, they cannot run."""
    assert problem(tensorrt(), Device(kind="cpu")) == "tensorrt needs a GPU and the device is cpu"
    told = "the driver reports 1 CUDA devices and cuda:1 is not one of them"
    assert problem(tensorrt(), Device(kind="cuda", index=1)) == told


def test_the_gpu_is_the_one_that_was_asked_for(machine):
    """On a machine with several GPUs the engine is compared with that of the device."""
    machine(driver(gpu(), gpu("NVIDIA GeForce RTX 4090", "8.9", index=1)))
    assert problem(tensorrt(), GPU) is None
    assert problem(rtx(), GPU) is not None
    assert problem(rtx(), Device(kind="cuda", index=1)) is None


@pytest.mark.parametrize("device", [GPU, Device(kind="cpu")])
def test_graphs_for_onnxruntime_fit_everywhere(machine, device):
    """Without any library `problem` says nothing of them: their session names what is missing."""
    machine(NO_DRIVER, onnxruntime=None)
    assert problem(make_engine(Backend.ONNXRUNTIME), device) is None


def test_the_command_for_a_gguf_text_encoder_asks_for_its_file(tmp_path):
    """gguf is no precision that can be asked for: the file is."""
    engine = dataclasses.replace(make_engine(Backend.ONNXRUNTIME), precision=Precision.GGUF)
    told = rebuild(engine, Component.TEXT_ENCODER, tmp_path)
    assert f"--out {tmp_path} --backend onnxruntime --t5-gguf FILE --component text_encoder" in told
    assert "--precision" not in told
