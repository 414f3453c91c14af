"""Which engine plays a component: the order of `auto`, what it passes over and why, what is refused."""

import json
import sys

import pytest
from machines import AMX, AVX2, NO_DRIVER, driver, gpu, pretend
from vidrt import cpu
from vidrt.devices import Device
from vidrt.errors import DeviceError, EngineError, MissingExtraError, RequestError
from vidrt.pipelines.load import load_pipeline
from vidrt.sessions.resources import Resources
from vidrt_engines.cuda_driver import gpus
from vidrt_engines.names import Backend

PLAYED = ("text_encoder", "transformer", "vae_decoder")


@pytest.fixture
def both(planned):
    """A bundle with engines for every backend."""
    planned(Backend.TENSORRT_RTX)
    return planned(Backend.TENSORRT)


def backends(pipeline):
    return {str(component.engine.engine.backend) for component in pipeline.components.values()}


@pytest.mark.usefixtures("gpu_machine")
def test_auto_takes_the_fastest_that_there_is(both, notes):
    """On a GPU plans go before graphs and TensorRT before its flavour for RTX; nothing was passed over, so no word."""
    with load_pipeline(both, device="cuda", progress=notes) as pipeline:
        assert backends(pipeline) == {"tensorrt"}
    assert notes.lines == []


@pytest.mark.parametrize("backend", [backend for backend in Backend if backend is not Backend.OPENVINO])
@pytest.mark.usefixtures("gpu_machine")
def test_a_backend_that_is_asked_for_is_taken(both, backend):
    """Whatever the order of `auto`, the one that was asked for plays."""
    with load_pipeline(both, device="cuda", backend=backend) as pipeline:
        assert backends(pipeline) == {str(backend)}


def test_what_is_passed_over_is_told(both, monkeypatch, notes):
    """An engine for another GPU is passed over with the reason, for each component, and the next one is taken."""
    pretend(monkeypatch, driver(gpu("NVIDIA A10", "8.6")), tensorrt="11.4.0.9", tensorrt_rtx="1.7.1.116")
    with load_pipeline(both, device="cuda", progress=notes) as pipeline:
        assert backends(pipeline) == {"onnxruntime"}
    assert len(notes.lines) == 2 * 4
    first = (
        "The text encoder for tensorrt cannot be played here: its compute capability is 8.9 and here it is 8.6; run: "
    )
    assert notes.lines[0].startswith(first)
    assert all(line.endswith("; playing it with onnxruntime.") for line in notes.lines)


def test_a_missing_library_is_passed_over_by_auto_only(both, monkeypatch, notes, sentence):
    """`auto` goes on without TensorRT and says so; whoever asks for it is told the line that installs it."""
    pretend(monkeypatch, driver(gpu("NVIDIA L4", "8.9")), tensorrt=None, tensorrt_rtx="1.7.1.116")
    with load_pipeline(both, device="cuda", progress=notes) as pipeline:
        assert backends(pipeline) == {"tensorrt-rtx"}
    assert "pip install 'vidrt[tensorrt]'; playing it with tensorrt-rtx." in notes.lines[0]
    with pytest.raises(DeviceError) as error:
        load_pipeline(both, device="cuda", backend="tensorrt")
    assert sentence(error).endswith("run: pip install 'vidrt[tensorrt]'.")


def test_an_engine_of_another_version_is_refused_at_once(both, monkeypatch, sentence):
    """An engine that was asked for and cannot be played here is refused when the bundle is opened, with the field."""
    pretend(monkeypatch, driver(gpu("NVIDIA L4", "8.9")), tensorrt="11.5.0.1", tensorrt_rtx="1.7.1.116")
    with pytest.raises(DeviceError) as error:
        load_pipeline(both, device="cuda", backend="tensorrt")
    told = (
        "The text encoder for tensorrt cannot be played here: its TensorRT version is 11.4.0.9 and here it is 11.5.0.1"
    )
    assert sentence(error).startswith(told)


@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt-rtx"])
@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_tensorrt_is_not_for_the_cpu(both, monkeypatch, backend, device, sentence):
    """TensorRT on a machine without a GPU, or asked for on the CPU, is one sentence."""
    pretend(monkeypatch, NO_DRIVER)
    with pytest.raises(DeviceError) as error:
        load_pipeline(both, device=device, backend=backend)
    assert sentence(error) == f"{backend} needs a CUDA device and the device is cpu: use --backend onnxruntime."


def test_on_the_cpu_plans_are_no_matter(both, notes):
    """The CPU plays graphs, as it did before there were plans."""
    with load_pipeline(both, device="cpu", progress=notes) as pipeline:
        assert backends(pipeline) == {"onnxruntime"}
    assert notes.lines == []


@pytest.fixture
def in_bf16(demo_copy):
    """The embedded bundle, as if its weights were bf16; none is read."""
    path = demo_copy / "bundle.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"fp16"', '"bf16"'), encoding="utf-8")
    return demo_copy


def test_openvino_is_taken_for_bf16_on_a_cpu_that_has_it(in_bf16, monkeypatch, notes):
    """One line says why, for all components."""
    monkeypatch.setattr(cpu, "flags", lambda: AMX)
    with load_pipeline(in_bf16, device="cpu", progress=notes) as pipeline:
        assert pipeline.device == "cpu (openvino)"
    assert notes.lines == ["openvino plays bf16 engines: this CPU has bf16, and onnxruntime would compute in fp32."]


def test_what_is_missing_for_bf16_is_told(in_bf16, monkeypatch, notes):
    """Without OpenVINO the line that installs it is told once, and onnxruntime plays."""
    monkeypatch.setattr(cpu, "flags", lambda: AMX)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with load_pipeline(in_bf16, device="cpu", progress=notes) as pipeline:
        assert pipeline.device == "cpu (onnxruntime)"
    (line,) = notes.lines
    assert line.startswith("onnxruntime computes bf16 engines in fp32, and this CPU has bf16: OpenVINO is not ")
    assert line.endswith("; run: pip install 'vidrt[openvino]'.")


@pytest.mark.parametrize(("flags", "source"), [(AVX2, "in_bf16"), (AMX, "demo_copy")])
def test_onnxruntime_plays_where_openvino_would_compute_in_fp32_too(flags, source, request, monkeypatch, notes):
    """A CPU without bf16, or weights that are no bf16: no other precision than that of the bundle is taken."""
    monkeypatch.setattr(cpu, "flags", lambda: flags)
    with load_pipeline(request.getfixturevalue(source), device="cpu", progress=notes) as pipeline:
        assert pipeline.device == "cpu (onnxruntime)"
    assert notes.lines == []


@pytest.mark.usefixtures("gpu_machine")
def test_openvino_is_for_the_cpu(demo_copy, sentence):
    """Asked for where a GPU would be used, it says how to have it."""
    with pytest.raises(DeviceError) as error:
        load_pipeline(demo_copy, backend="openvino")
    assert sentence(error) == "openvino computes on the CPU and the device is cuda:0: give --cpu as well."


def test_a_bundle_of_plans_alone_needs_a_gpu(planned, sentence):
    """Without any graph the CPU has nothing to play."""
    folder = planned()
    path = folder / "bundle.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for name, engines in content["engines"].items():
        content["engines"][name] = [engine for engine in engines if engine["backend"] != "onnxruntime"]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DeviceError) as error:
        load_pipeline(folder, device="cpu")
    told = f"{folder} has no text_encoder for onnxruntime; build it with build-engines --backend onnxruntime."
    assert sentence(error) == told


@pytest.mark.usefixtures("gpu_machine")
def test_components_may_have_different_backends(planned, demo):
    """A bundle with a plan for the transformer alone plays it with graphs for the rest, where `auto` may choose."""
    folder = planned(components=("transformer",))
    with load_pipeline(folder, device="cuda") as pipeline:
        assert pipeline.device == "cuda:0, NVIDIA L4 (onnxruntime, tensorrt-rtx)"
        chosen = {name: str(component.engine.engine.backend) for name, component in pipeline.components.items()}
    assert chosen == dict.fromkeys(demo.components, "onnxruntime") | {"transformer": "tensorrt-rtx"}
    with pytest.raises(DeviceError, match="has no text_encoder for tensorrt-rtx"):
        load_pipeline(folder, device="cuda", backend="tensorrt-rtx")


@pytest.mark.usefixtures("gpu_machine")
def test_what_a_run_can_do_without_may_be_missing(planned, small, notes):
    """Text to video needs no VAE encoder: one that is not built for a backend is told and left out."""
    with load_pipeline(planned(components=PLAYED), device="cuda", backend="tensorrt-rtx", progress=notes) as pipeline:
        assert set(pipeline.components) == set(PLAYED)
        assert pipeline(**small).frames.std() > 0
    assert "has no vae_encoder for tensorrt-rtx" in notes.lines[0]


@pytest.mark.parametrize(
    ("limit", "told"), [("8GiB", "A memory limit has no effect on onnxruntime on CUDA"), ("x", "8GiB")]
)
@pytest.mark.usefixtures("gpu_machine")
def test_a_memory_limit_that_would_be_ignored_is_refused(demo_copy, limit, told, sentence):
    """No backend takes an option without an effect, and a size has to be one."""
    with pytest.raises(RequestError, match=told) as error:
        load_pipeline(demo_copy, device="cuda", memory_limit=limit)
    sentence(error)


def test_without_nvidias_bindings_the_line_that_installs_them_is_told(monkeypatch, sentence):
    """A machine without the bindings of CUDA is told which extra brings them."""
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(MissingExtraError) as error:
        Resources(Device(kind="cuda")).cuda()
    assert sentence(error) == "cuda-bindings is not installed; run: pip install 'vidrt[tensorrt]'."


def test_cuda_that_does_not_start_is_one_sentence(sentence):
    """Without a driver the library's own name for what is wrong is told."""
    if gpus():
        pytest.skip("there is a GPU")
    with pytest.raises(EngineError) as error:
        Resources(Device(kind="cuda")).cuda()
    assert sentence(error).startswith("CUDA failed: cudaErrorInsufficientDriver;")
