"""`vidrt doctor`: what it says, and its exit status."""

import hashlib
import re
import sys
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from machines import AMX, AVX2, NO_DRIVER, driver, gpu, pretend
from vidrt import cpu
from vidrt.cli import doctor_text
from vidrt_engines.manifest import BundleFile, Engine, read_bundle, write_bundle
from vidrt_engines.names import Backend, Component, Precision
from vidrt_engines.profiles import Span

HOPPER = {"tensorrt": "11.4.0.9", "cuda": "13", "gpu": "NVIDIA H200", "compute_capability": "9.0"}


@pytest.fixture
def slim(monkeypatch):
    """A machine without a driver or any TensorRT."""
    pretend(monkeypatch, NO_DRIVER, tensorrt=None, tensorrt_rtx=None)


@pytest.fixture
def plan_bundle(demo_copy):
    """The embedded bundle with a plan for another GPU as its transformer's first engine."""
    content = b"ftrt" + bytes(12_000_000)
    (demo_copy / "plan").write_bytes(content)
    file = BundleFile(path="plan", bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    bundle = read_bundle(demo_copy)
    same = bundle.engines[Component.TRANSFORMER][0]
    profile = {"batch": Span(min=1, opt=1, max=2), "tokens": Span(min=16, opt=1536, max=4096)}
    engine = Engine(backend=Backend.TENSORRT, precision=Precision.BF16, files=(file,), inputs=same.inputs,
                    outputs=same.outputs, key=HOPPER, profiles=(profile,))  # fmt: skip
    write_bundle(demo_copy, bundle.with_engine(Component.TRANSFORMER, engine))
    return demo_copy


def row(ended, name):
    """The rest of the line that begins with a name."""
    (line,) = (line for line in ended.out.splitlines() if line.strip().startswith(f"{name}  "))
    return line.strip().removeprefix(name).strip()


@pytest.mark.usefixtures("slim")
def test_a_machine_without_a_gpu(vidrt):
    """Every part that there may be has a line: what was found, or what installs it."""
    ended = vidrt("doctor")
    assert (ended.status, ended.err) == (0, "")
    assert re.fullmatch(r"\d\S* with Python 3\S+ on \S+-\S+", row(ended, "vidrt"))
    assert row(ended, "CUDA driver") == "there is no CUDA driver (libcuda.so.1)"
    assert "CPUExecutionProvider" in row(ended, "onnxruntime     ")
    assert row(ended, "TensorRT") == "not installed; run: pip install 'vidrt[tensorrt]'"
    assert row(ended, "TensorRT for RTX") == "not installed; run: pip install 'vidrt[rtx]'"
    assert row(ended, "PyAV").endswith("with H.264")
    assert "  onnxruntime   cpu     yes" in ended.out


def test_a_machine_with_gpus(vidrt, monkeypatch):
    """The driver's CUDA and each GPU's name, compute capability and memory are told, and what can use them."""
    pretend(monkeypatch, driver(gpu(), gpu(index=1)), tensorrt="11.4.0.9")
    ended = vidrt("doctor")
    assert ended.status == 0
    assert row(ended, "CUDA driver") == "runs CUDA up to 13.1"
    assert row(ended, "cuda:1") == "NVIDIA H200, compute capability 9.0, 140.4 GiB"
    assert row(ended, "TensorRT") == "11.4.0.9 for CUDA 13"
    assert "  tensorrt      cuda:0  yes" in ended.out


@pytest.mark.usefixtures("slim")
@pytest.mark.parametrize(
    ("flags", "told", "computes"),
    [
        (AVX2, "avx2, no bf16, no int8", "fp32"),
        (AMX, "amx_bf16, avx512_bf16, amx_int8, avx512_vnni, avx512f", "bf16"),
    ],
)
def test_the_cpu(vidrt, monkeypatch, flags, told, computes):
    """What it has for bf16 and int8 is told, and in what OpenVINO computes there."""
    monkeypatch.setattr(cpu, "flags", lambda: flags)
    ended = vidrt("doctor")
    assert row(ended, "CPU").endswith(f", {told}")
    assert row(ended, "OpenVINO") == f"{version('openvino')}, computes bf16 engines in {computes} here"


@pytest.mark.usefixtures("slim")
def test_two_wheels_of_onnxruntime_are_a_warning(vidrt, monkeypatch):
    """Two wheels with the same module are told, and what to do."""
    monkeypatch.setattr(doctor_text, "onnxruntime_wheels", lambda: ("onnxruntime 1.32.0", "onnxruntime-gpu 1.31.0"))
    ended = vidrt("doctor")
    assert "warning: onnxruntime 1.32.0 and onnxruntime-gpu 1.31.0 are both installed and one hides" in ended.out
    assert ended.status == 0


@pytest.mark.usefixtures("slim")
def test_a_pyav_without_h264(vidrt, monkeypatch):
    """A PyAV that cannot write MP4 says so."""
    monkeypatch.setattr(doctor_text, "has_h264", lambda _: False)
    assert row(vidrt("doctor"), "PyAV").endswith("without H.264")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_machine_that_can_play_nothing(vidrt, monkeypatch, quiet):
    """With no library at all the status is 1, and one line says what to install, with --quiet too."""
    pretend(monkeypatch, NO_DRIVER, tensorrt=None, tensorrt_rtx=None, onnxruntime=None, openvino=None, av=None)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    ended = vidrt("doctor", *(["--quiet"] if quiet else []))
    told = "vidrt: nothing here can play engines: onnxruntime is not installed; run: pip install 'vidrt[cpu]'.\n"
    assert (ended.status, ended.err) == (1, told)
    assert (ended.out == "") is quiet
    if not quiet:
        assert row(ended, "onnxruntime     ") == "not installed; run: pip install 'vidrt[cpu]'"
        assert row(ended, "OpenVINO") == "not installed; run: pip install 'vidrt[openvino]'"
        assert row(ended, "cuda-bindings") == "not installed; run: pip install 'vidrt[tensorrt]'"
        assert row(ended, "PyAV") == "not installed; run: pip install 'av'"


@pytest.mark.usefixtures("slim")
def test_the_embedded_bundle(vidrt):
    """The embedded bundle is told in a line for each engine, aligned, and plays on the CPU."""
    ended = vidrt("doctor", "demo:ltx-video")
    assert (ended.status, ended.err) == (0, "")
    engines = [line for line in ended.out.splitlines() if re.match(r"  (text|transf|vae)", line)]
    assert [line.split()[:3] for line in engines] == [
        [name, "onnxruntime", "fp16"] for name in ("text_encoder", "transformer", "vae_encoder", "vae_decoder")
    ]
    assert {line.index("onnxruntime") for line in engines} == {16}
    assert all(re.search(r"  [\d,]+ kB +valid$", line) for line in engines)
    assert ended.out.splitlines()[-1] == "  plays here with --device cpu"
    assert "circles, squares and triangles" in ended.out


@pytest.mark.usefixtures("slim")
def test_verify_reads_every_file(vidrt, demo_copy):
    """With --verify a change that keeps its file's size is found, and reading is shown on stderr."""
    (weights,) = demo_copy.glob("transformer/*/model.weights")
    assert vidrt("doctor", demo_copy, "--verify").status == 0
    content = bytearray(weights.read_bytes())
    content[100] ^= 1
    weights.write_bytes(content)
    assert vidrt("doctor", demo_copy).status == 0
    ended = vidrt("doctor", demo_copy, "--verify")
    assert ended.status == 1
    *shown, last = ended.err.splitlines()
    assert shown[0].startswith("reading text_encoder/")
    assert last.startswith(
        f"vidrt: {demo_copy} cannot be played here: the transformer for onnxruntime: its file transformer/"
    )
    assert len(vidrt("doctor", demo_copy, "--verify", "--quiet").err.splitlines()) == 1


def test_an_engine_for_another_gpu(vidrt, plan_bundle, monkeypatch):
    """The line says what differs, what the engine has and what this machine has, and the command that rebuilds."""
    command = f"build-engines SOURCE --out {plan_bundle} --backend tensorrt --precision bf16 --component transformer"
    pretend(monkeypatch, driver(gpu("NVIDIA GeForce RTX 4090", "8.9")), tensorrt="11.4.0.9")
    ended = vidrt("doctor", plan_bundle)
    lines = ended.out.splitlines()
    at = lines.index("  transformer   tensorrt     bf16  12 MB     not valid")
    assert lines[at + 1 : at + 4] == [
        "    profile batch 1:1:2, tokens 16:1536:4096",
        "    compute capability: the engine's is 9.0, here it is 8.9",
        f"    run: {command}",
    ]
    assert (ended.status, lines[-1]) == (0, "  plays here with --device cpu")


def test_an_engine_of_this_gpu(vidrt, plan_bundle, monkeypatch):
    """A plan of this machine's GPU is valid; the bundle plays there once the other engines do."""
    pretend(monkeypatch, driver(), tensorrt="11.4.0.9")
    assert "  transformer   tensorrt     bf16  12 MB     valid" in vidrt("doctor", plan_bundle).out
    cuda = SimpleNamespace(__version__="1.32.0", get_available_providers=lambda: ["CUDAExecutionProvider"])
    monkeypatch.setitem(sys.modules, "onnxruntime", cuda)
    ended = vidrt("doctor", plan_bundle)
    assert (ended.status, ended.out.splitlines()[-1]) == (0, "  plays here with --device cuda:0 or --device cpu")


def test_an_engine_that_cannot_be_checked(vidrt, plan_bundle, monkeypatch):
    """Without a driver the line says why nothing can be said, and calls nothing invalid."""
    pretend(monkeypatch, NO_DRIVER, tensorrt="11.4.0.9")
    lines = vidrt("doctor", plan_bundle).out.splitlines()
    at = lines.index("  transformer   tensorrt     bf16  12 MB     cannot be checked here")
    assert lines[at + 2] == "    there is no CUDA driver (libcuda.so.1)"


@pytest.mark.usefixtures("slim")
def test_a_damaged_bundle_is_described(vidrt, demo_copy):
    """A file that is cut is told with its engine, the others as they are; nothing plays, so the status is 1."""
    (graph,) = demo_copy.glob("transformer/*/model.onnx")
    graph.write_bytes(graph.read_bytes()[:-1])
    ended = vidrt("doctor", demo_copy)
    assert ended.status == 1
    assert ended.out.count("  valid") == 3
    assert ended.out.splitlines()[-1] == "  does not play here"
    (line,) = ended.err.splitlines()
    assert "the transformer for onnxruntime: its file transformer/" in line
    assert line.endswith(".")


@pytest.mark.usefixtures("slim")
@pytest.mark.parametrize(
    "arguments", ["nowhere", "demo:nothing", ".", "a b", "--verify", "--unknown", "demo:ltx-video x"]
)
def test_a_bad_request_is_one_line(vidrt, arguments):
    """What cannot be right ends with status 2 and one line."""
    ended = vidrt("doctor", *arguments.split(" " if "demo" in arguments else None))
    assert (ended.status, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert re.fullmatch(r"vidrt: .{20,}\.", line)


@pytest.mark.usefixtures("slim")
def test_debug_gives_a_traceback(vidrt):
    """With --debug the traceback comes before the line, and the status stays."""
    ended = vidrt("doctor", "nowhere", "--debug")
    assert ended.status == 2
    assert ended.err.startswith("Traceback (most recent call last):\n")


def test_doctor_in_a_process_of_its_own(process):
    """On this machine, whatever it has, the embedded bundle plays, without a warning and without PyTorch."""
    ended = process("doctor", "demo:ltx-video")
    assert (ended.status, ended.err) == (0, "")
    assert "plays here" in ended.out


def test_quiet_says_nothing(vidrt):
    """With --quiet the status is the answer."""
    ended = vidrt("doctor", "demo:ltx-video", "--quiet")
    assert (ended.status, ended.out, ended.err) == (0, "", "")
