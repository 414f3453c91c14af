"""Bundles with several engines, against machines that can play them in part."""

import dataclasses
import hashlib

import pytest
from machines import AMX, AVX2, NO_DRIVER, driver, gpu, pretend
from vidrt import cpu, diagnosis
from vidrt.devices import Device
from vidrt.diagnosis import CPU, GPU, cause, diagnose_bundle, diagnose_machine
from vidrt.validity import Invalid, Unknown, Valid
from vidrt_engines.cuda_driver import gpus
from vidrt_engines.errors import BundleError
from vidrt_engines.manifest import BundleFile, Engine, read_bundle, write_bundle
from vidrt_engines.names import Backend, Component, Precision

TENSORRT = {"tensorrt": "11.4.0.9", "cuda": "13", "gpu": "NVIDIA H200", "compute_capability": "9.0"}
RTX = {"tensorrt": "1.7.1.116", "cuda": "13", "gpu": "any", "compute_capability": "8.0 8.6 8.9 12.0+"}
MAGIC = {Backend.TENSORRT: b"ftrt", Backend.TENSORRT_RTX: b"vtrt"}


@pytest.fixture
def add(demo_copy):
    """Adds an engine to the copied bundle, before those that its component has."""

    def add(component, backend, key, content=None):
        content = MAGIC[backend] + bytes(100) if content is None else content
        path = f"{component}/{backend}.plan"
        (demo_copy / path).write_bytes(content)
        file = BundleFile(path=path, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        bundle = read_bundle(demo_copy)
        same = bundle.engines[component][0]
        engine = Engine(backend=backend, precision=Precision.BF16, files=(file,), inputs=same.inputs,
                        outputs=same.outputs, key=key)  # fmt: skip
        write_bundle(demo_copy, bundle.with_engine(component, engine))

    return add


@pytest.fixture
def only(demo_copy, add):
    """Makes a bundle whose every engine is of one backend."""

    def make(backend, key):
        for component in read_bundle(demo_copy).engines:
            add(component, backend, key)
        bundle = read_bundle(demo_copy)
        engines = {name: group[:1] for name, group in bundle.engines.items()}
        write_bundle(demo_copy, dataclasses.replace(bundle, engines=engines))

    return make


@pytest.fixture
def machine(monkeypatch):
    """A machine with a driver and both flavours of TensorRT, unless told otherwise."""

    def have(found, **changes):
        pretend(monkeypatch, found, **{"tensorrt": "11.4.0.9", "tensorrt_rtx": "1.7.1.116", **changes})
        # the library's own verdict has its own tests
        monkeypatch.setattr(diagnosis, "check_header", lambda *_: Valid())

    return have


def change(folder, **fields):
    write_bundle(folder, dataclasses.replace(read_bundle(folder), **fields))


def states(report):
    return {(engine.component.value, engine.engine.backend.value): type(engine.validity) for engine in report.engines}


def test_backends_in_order_of_preference(machine, monkeypatch):
    """The fastest first; each with what keeps it from being used."""
    machine(driver())
    monkeypatch.setattr(cpu, "flags", lambda: AVX2)
    found = {(ready.backend.value, str(ready.device)): ready.obstacle for ready in diagnose_machine()}
    assert list(found) == [("tensorrt", "cuda:0"), ("tensorrt-rtx", "cuda:0"), ("onnxruntime", "cuda:0"),
                           ("onnxruntime", "cpu"), ("openvino", "cpu")]  # fmt: skip
    assert found["tensorrt", "cuda:0"] is None
    assert found["tensorrt-rtx", "cuda:0"].endswith("not on 9.0; use tensorrt")
    assert found["onnxruntime", "cuda:0"].startswith("this onnxruntime has no CUDA; run: pip uninstall")
    assert found["onnxruntime", "cpu"] is None


def test_openvino_goes_first_on_a_cpu_with_bf16(machine, monkeypatch):
    """There it is the faster one."""
    machine(NO_DRIVER)
    monkeypatch.setattr(cpu, "flags", lambda: AMX)
    assert [ready.backend.value for ready in diagnose_machine()][-2:] == ["openvino", "onnxruntime"]


def test_the_embedded_bundle_plays_on_a_cpu(machine, notes):
    """Without a driver the embedded bundle's engines are valid on the CPU, and no file is read."""
    machine(NO_DRIVER)
    report = diagnose_bundle("demo:ltx-video", notes)
    assert (set(states(report).values()), report.devices, cause(report)) == ({Valid}, (CPU,), None)
    assert notes.lines == []


def test_every_file_is_read_when_asked(machine, notes):
    """With `verify` each engine's files are read and are those of the manifest."""
    machine(NO_DRIVER)
    report = diagnose_bundle("demo:ltx-video", notes, verify=True)
    files = [file.path for engine in report.engines for file in engine.engine.files]
    assert [line.split(":")[0] for line in notes.lines] == [f"reading {path}" for path in files]
    assert report.devices == (CPU,)


def test_an_engine_that_fits_beside_one_that_does_not(machine, add, demo_copy, notes):
    """Where one engine of a component is not valid here another may be, and the bundle plays with that."""
    add(Component.TRANSFORMER, Backend.TENSORRT, {**TENSORRT, "gpu": "NVIDIA H100"})
    machine(driver())
    report = diagnose_bundle(str(demo_copy), notes)
    assert states(report)["transformer", "tensorrt"] is Invalid
    assert states(report)["transformer", "onnxruntime"] is Valid
    assert (report.devices, cause(report)) == ((CPU,), None)


def test_a_bundle_for_another_gpu(machine, only, demo_copy, notes):
    """A bundle whose engines fit no device says of the first what differs and how to build it again."""
    only(Backend.TENSORRT_RTX, RTX)
    machine(driver())
    report = diagnose_bundle(str(demo_copy), notes)
    assert (set(states(report).values()), report.devices) == ({Invalid}, ())
    assert cause(report) == (
        "the text_encoder for tensorrt-rtx: its compute capability is 8.0 8.6 8.9 12.0+ and here it is 9.0; "
        f"run: build-engines SOURCE --out {demo_copy} --backend tensorrt-rtx --precision bf16 --component text_encoder"
    )


def test_a_bundle_for_this_gpu(machine, only, demo_copy, notes):
    """A bundle of plans plays on the GPU alone."""
    only(Backend.TENSORRT_RTX, RTX)
    machine(driver(gpu("NVIDIA GeForce RTX 5090", "12.0")))
    report = diagnose_bundle(str(demo_copy), notes)
    assert (set(states(report).values()), report.devices, cause(report)) == ({Valid}, (GPU,), None)


def test_engines_that_fit_different_devices_do_not_make_a_video(machine, add, demo_copy, notes):
    """A component on the GPU alone and the others on the CPU alone play nowhere."""
    add(Component.TRANSFORMER, Backend.TENSORRT, TENSORRT)
    bundle = read_bundle(demo_copy)
    change(demo_copy, engines={**bundle.engines, "transformer": bundle.engines["transformer"][:1]})
    machine(driver())
    report = diagnose_bundle(str(demo_copy), notes)
    assert set(states(report).values()) == {Valid}
    assert (report.devices, cause(report)) == ((), "no device can play all of its engines")


def test_what_cannot_be_checked_is_not_called_invalid(machine, only, demo_copy, notes):
    """Without a driver, plans may be good; nothing can play them here all the same."""
    only(Backend.TENSORRT, TENSORRT)
    machine(NO_DRIVER)
    report = diagnose_bundle(str(demo_copy), notes)
    assert (set(states(report).values()), report.devices) == ({Unknown}, ())
    assert cause(report) == "the text_encoder for tensorrt: there is no CUDA driver (libcuda.so.1)"


@pytest.mark.skipif(bool(gpus()), reason="the library asks the GPU that is there")
@pytest.mark.parametrize("verify", [False, True])
def test_a_real_plan(add, plan, demo_copy, notes, monkeypatch, verify):
    """A real plan of TensorRT for RTX cannot be checked without a driver; damaged, it is found to be."""
    add(Component.TRANSFORMER, Backend.TENSORRT_RTX, RTX, plan)
    pretend(monkeypatch, NO_DRIVER)
    monkeypatch.setattr("vidrt_engines.tensorrt_wheels._installed", lambda: ("tensorrt_rtx_cu13_libs",))
    key = "transformer", "tensorrt-rtx"
    assert states(diagnose_bundle(str(demo_copy), notes, verify=verify))[key] is Unknown
    path = demo_copy / "transformer/tensorrt-rtx.plan"
    for damaged in (plan[:-1], plan[:10], b"\x08\x07" + plan[2:]):
        path.write_bytes(damaged)
        assert states(diagnose_bundle(str(demo_copy), notes, verify=verify))[key] is Invalid
    path.write_bytes(plan[:-1] + bytes([plan[-1] ^ 1]))
    assert states(diagnose_bundle(str(demo_copy), notes, verify=verify))[key] is (Invalid if verify else Unknown)


def test_the_key_is_asked_before_the_library(machine, only, demo_copy, notes, monkeypatch):
    """What the key says is told, not what the library makes of the same."""
    only(Backend.TENSORRT_RTX, RTX)
    machine(driver())
    monkeypatch.setattr(diagnosis, "check_header", lambda *_: pytest.fail("was asked"))
    report = diagnose_bundle(str(demo_copy), notes)
    assert {engine.validity.field for engine in report.engines} == {"compute capability"}


@pytest.mark.parametrize("verify", [False, True])
def test_the_cause_is_what_a_run_needs(machine, demo_copy, notes, verify):
    """Of several files that are missing, the cause is the one of a component that a run cannot do without."""
    machine(NO_DRIVER)
    for path in (*demo_copy.glob("vae_encoder/*/model.onnx"), *demo_copy.glob("vae_decoder/*/model.onnx")):
        path.unlink()
    report = diagnose_bundle(str(demo_copy), notes, verify=verify)
    assert cause(report).startswith("the vae_decoder for onnxruntime: its file vae_decoder/")
    assert " and here it is missing; run: build-engines SOURCE" in cause(report)


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [(Valid(note="slow"), Valid), (Unknown(reason="no idea"), Unknown),
     (Invalid(field="header", engine="a", here="b", cure="c"), Invalid)],
    ids=["valid", "unknown", "invalid"],
)  # fmt: skip
def test_the_library_has_the_last_word(machine, only, demo_copy, notes, monkeypatch, verdict, shown):
    """Where the key fits, TensorRT for RTX itself is asked."""
    only(Backend.TENSORRT_RTX, RTX)
    machine(driver(gpu("NVIDIA GeForce RTX 5090", "12.0")))
    monkeypatch.setattr(diagnosis, "check_header", lambda *_: verdict)
    report = diagnose_bundle(str(demo_copy), notes)
    assert set(states(report).values()) == {shown}
    assert report.devices == ((GPU,) if shown is Valid else ())


def test_a_machine_without_onnxruntime(machine, notes):
    """Graphs without their library cannot be played, and the line that installs it is told."""
    machine(NO_DRIVER, onnxruntime=None)
    report = diagnose_bundle("demo:ltx-video", notes)
    assert set(states(report).values()) == {Unknown}
    assert cause(report).endswith("onnxruntime is not installed; run: pip install 'vidrt[cpu]'")


def test_a_bundle_without_its_encoder_still_makes_videos(demo_copy, machine, notes):
    """The VAE's encoder is for images and videos that a run begins with: a bundle may lack it, but no other."""
    machine(NO_DRIVER)
    engines = read_bundle(demo_copy).engines
    change(demo_copy, engines={name: group for name, group in engines.items() if name != "vae_encoder"})
    assert diagnose_bundle(str(demo_copy), notes).devices == (CPU,)
    change(demo_copy, engines={name: group for name, group in engines.items() if name != "vae_decoder"})
    report = diagnose_bundle(str(demo_copy), notes)
    assert report.devices == ()
    assert cause(report) == f"it has no vae_decoder yet; run build-engines with --out {demo_copy} to finish it"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"model_version": "7.0"}, "LTX-Video 7.0 is not known to this vidrt"),
        ({"tokenizer": None}, "it has no tokenizer; build it again with build-engines"),
    ],
    ids=["version", "tokenizer"],
)
def test_what_plays_nowhere(demo_copy, machine, notes, fields, told):
    """What no device can mend is a problem of the bundle's."""
    machine(NO_DRIVER)
    change(demo_copy, **fields)
    assert cause(diagnose_bundle(str(demo_copy), notes)) == told


def test_a_tokenizer_that_is_damaged(demo_copy, machine, notes):
    """The tokenizer's file counts too."""
    machine(NO_DRIVER)
    (demo_copy / "tokenizer/tokenizer.json").write_text("{}")
    told = "its tokenizer/tokenizer.json is missing or damaged; build it again with build-engines"
    assert cause(diagnose_bundle(str(demo_copy), notes)) == told


@pytest.mark.parametrize("name", ["demo:nothing", "nowhere", "."])
def test_no_such_bundle(name, tmp_path, monkeypatch, notes, sentence):
    """What is no bundle is an error of one sentence."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError) as error:
        diagnose_bundle(name, notes)
    assert sentence(error)


def test_the_devices_are_those_that_auto_takes():
    """The GPU that is asked about is the one that `--device auto` takes."""
    assert (str(GPU), GPU) == ("cuda:0", Device(kind="cuda"))
