"""The arrows of the house: who may import whom, read from the source and seen in a fresh interpreter."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = {
    "vidrt_engines": ROOT / "engines/vidrt_engines",
    "vidrt_reference": ROOT / "reference/vidrt_reference",
    "vidrt_export": ROOT / "export/vidrt_export",
    "vidrt": ROOT / "runtime/vidrt",
}
ALLOWED = {
    "vidrt_engines": set(),
    "vidrt_reference": set(),
    "vidrt_export": {"vidrt_reference", "vidrt_engines"},
    "vidrt": {"vidrt_engines"},
}
HEAVY = {"torch", "transformers", "onnx", "polygraphy", "diffusers", "onnxscript", "onnx_ir", "gguf"}

# what a phase of a run brings with it when it begins
LATE = {"onnxruntime", "tensorrt", "tensorrt_rtx", "cuda", "tokenizers", "PIL", "av", "imageio", "tqdm", "safetensors"}
LATE |= {"email"}  # which importlib.metadata brings


def imported(source, package):
    """The top modules that a source imports, at its head, inside functions, or by a name in a string."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(package if node.level else node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in {"import_module", "__import__", "find_spec"}:
                found.add(str(node.args[0].value).partition(".")[0])
    return found


def imports_of(package):
    """For each module of a package, what it imports besides its own."""
    paths = sorted(HOUSE[package].rglob("*.py"))
    assert len(paths) > 5, f"{HOUSE[package]} is not the package"
    found = {path: imported(path.read_text(encoding="utf-8"), package) - {package} for path in paths}
    assert any(found.values())
    return {str(path.relative_to(ROOT)): names for path, names in found.items()}


def test_the_reader_sees_every_form_of_import():
    """The reader below finds an import at the head, in a function, under TYPE_CHECKING, relative, and by a string."""
    source = """
import a.b, c as d
from e.f import g
from . import h
if TYPE_CHECKING:
    from i import j
def k():
    import l
    importlib.import_module("m.n")
    __import__("o")
"""
    assert imported(source, "own") == {"a", "c", "e", "own", "i", "l", "m", "o"}


@pytest.mark.parametrize("package", HOUSE)
def test_packages_import_along_the_arrows_only(package):
    """export may import reference and engines, runtime may import engines, and nothing else of ours."""
    ours = set(HOUSE) | {"export", "reference", "engines", "runtime"}
    wrong = {path: names & (ours - ALLOWED[package]) for path, names in imports_of(package).items()}
    assert {path: names for path, names in wrong.items() if names} == {}


@pytest.mark.parametrize(("package", "arrow"), [("vidrt_export", "vidrt_reference"), ("vidrt", "vidrt_engines")])
def test_the_arrows_are_used(package, arrow):
    """The arrows that are allowed are there, so that the test above reads what it means to read."""
    assert any(arrow in names for names in imports_of(package).values())


def test_the_contract_needs_the_standard_library_only():
    """engines imports nothing that pip installs."""
    wrong = {path: names - sys.stdlib_module_names for path, names in imports_of("vidrt_engines").items()}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_the_runtime_never_imports_what_it_replaces():
    """No module of the runtime names torch, transformers, onnx, polygraphy or diffusers, not even inside a function."""
    wrong = {path: names & HEAVY for path, names in imports_of("vidrt").items()}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_the_reference_does_not_lean_on_its_oracle():
    """The reference is written without diffusers, so that comparing the two says something."""
    wrong = {
        path: names & {"diffusers", "onnx", "onnxruntime"} for path, names in imports_of("vidrt_reference").items()
    }
    assert {path: names for path, names in wrong.items() if names} == {}


def modules_after(code):
    """The top modules that a fresh interpreter has after some code."""
    code += "\nimport sys\nprint('modules:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    (line,) = (line for line in ended.stdout.splitlines() if line.startswith("modules:"))
    return set(line.split()[1:])


@pytest.mark.parametrize(
    "code",
    ["import vidrt", "import vidrt_engines.manifest", "import vidrt.cli.generate", "import vidrt.cli.generation"],
)
def test_importing_costs_next_to_nothing(code):
    """Importing the package, the contract or the command loads no engine, no video library and nothing heavy."""
    modules = modules_after(code)
    assert modules & (HEAVY | LATE) == set()
    assert modules & {"vidrt", "vidrt_engines"}


def test_a_video_is_made_without_pytorch(tmp_path):
    """Making and saving a video loads onnxruntime and no torch, transformers, onnx, polygraphy or diffusers."""
    modules = modules_after(f"""
import vidrt
from vidrt import load_pipeline
with load_pipeline("demo:ltx-video", device="cpu") as pipeline:
    video = pipeline(height=64, width=64, num_frames=9, num_inference_steps=2, seed=0)
    video.save({str(tmp_path / "v.gif")!r})
    video.save({str(tmp_path / "v.mp4")!r})
""")
    assert {path.name for path in tmp_path.iterdir()} == {"v.gif", "v.mp4"}
    assert {"onnxruntime", "tokenizers", "PIL", "av", "numpy"} <= modules
    assert modules & HEAVY == set()


def test_the_command_is_made_without_pytorch(tmp_path):
    """`vidrt generate` with latents saved and every format asked for loads nothing heavy either."""
    modules = modules_after(f"""
import os, sys
os.chdir({str(tmp_path)!r})
sys.argv = ["vidrt", "generate", "--cpu", "--quiet", "--height", "64", "--width", "64", "--num-frames", "9",
            "--steps", "2", "--gif", "--mp4", "--frames", "--save-final-latents", "latents"]
from vidrt.cli.main import main
main()
""")
    assert (tmp_path / "output/video.mp4").is_file()
    assert "safetensors" in modules
    assert modules & HEAVY == set()
