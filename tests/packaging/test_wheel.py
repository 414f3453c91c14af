"""The wheel: what it holds, and a video made by it in an environment that has nothing else."""

import json
import shutil
import subprocess
import sys
import venv
import zipfile
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"vidrt", "vidrt_export", "vidrt_reference", "vidrt_engines"}
LARGEST_DEMOS = {"ltx-video": 15_000_000, "svd": 10_000_000}  # bytes in the wheel
STRAY = ("engines/built/a/model.onnx", "output/video.gif", "tests/stray.py", "dist/old.whl", ".venv/x.py")
SOURCES = ("engines", "export", "reference", "runtime", "LICENSE", "README.md", "pyproject.toml", ".gitignore")


def run(*command, **options):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=400, check=False, **options
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of this checkout, in which lie bundles, videos and an environment too."""
    checkout, out = tmp_path_factory.mktemp("checkout") / "vidrt", tmp_path_factory.mktemp("dist")
    checkout.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__", "built"))
        else:
            shutil.copy(ROOT / name, checkout / name)
    for name in STRAY:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("stray")
    built = run(sys.executable, "-m", "build", "--wheel", "--outdir", out, checkout)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def slim(wheel, tmp_path_factory):
    """The programs of a fresh environment with the wheel and its [cpu] extra, and nothing else."""
    folder = tmp_path_factory.mktemp("slim")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    installed = run(programs / "python", "-m", "pip", "install", "--quiet", f"{wheel}[cpu]")
    assert installed.returncode == 0, installed.stderr
    return programs


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel):
    """At its top are the four packages and its own description, whatever else lies in the checkout."""
    with zipfile.ZipFile(wheel) as archive:
        files = archive.namelist()
        assert not any(archive.read(name) == b"stray" for name in files)
    tops = {name.partition("/")[0] for name in files}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert not any("built" in name or "test" in name.lower() for name in files)
    assert all(name.startswith("vidrt_engines/demo/") for name in files if name.endswith(".onnx"))


def test_the_wheel_holds_every_module(wheel):
    """Each module of the checkout's packages is in the wheel, with the marks that say they are typed."""
    rooms = {"vidrt": "runtime", "vidrt_export": "export", "vidrt_reference": "reference", "vidrt_engines": "engines"}
    wanted = {
        str(path.relative_to(ROOT / room))
        for package, room in rooms.items()
        for path in (ROOT / room / package).rglob("*.py")
    }
    assert len(wanted) > 50
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    assert wanted <= files
    assert {f"{package}/py.typed" for package in PACKAGES} <= files
    assert "vidrt/cuda/combine.ptx" in files


def test_the_wheel_holds_the_demo_whole(wheel):
    """The embedded bundles are in the wheel, file by file and byte by byte, and none is large."""
    demo = ROOT / "engines/vidrt_engines/demo"
    wanted = {path.relative_to(demo.parents[1]).as_posix(): path for path in demo.rglob("*") if path.is_file()}
    assert "vidrt_engines/demo/ltx-video/bundle.json" in wanted
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if "/demo/" in name} == set(wanted)
        assert all(archive.read(name) == path.read_bytes() for name, path in wanted.items())
        sizes = Counter[str]()
        for entry in archive.infolist():
            if "/demo/" in entry.filename:
                sizes[entry.filename.split("/")[2]] += entry.compress_size
    assert all(size < LARGEST_DEMOS[name] for name, size in sizes.items()), sizes


def test_the_wheel_keeps_torch_out_of_the_runtime(wheel):
    """Only [export] and [test] ask for torch, transformers, onnx or diffusers."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        lines = archive.read(metadata).decode().splitlines()
    required = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    heavy = [line for line in required if line.startswith(("torch", "transformers", "onnx", "diffusers"))
             and not line.startswith("onnxruntime")]  # fmt: skip
    assert heavy
    assert all("extra == 'export'" in line or "extra == 'test'" in line for line in heavy)
    assert any(line.startswith("onnxruntime>") and "extra == 'cpu'" in line for line in required)


def test_a_slim_environment_has_no_torch(slim):
    """With [cpu] alone nothing heavy is installed, and the wheel's requirements agree with one another."""
    listed = json.loads(run(slim / "python", "-m", "pip", "list", "--format", "json").stdout)
    names = {entry["name"].lower() for entry in listed}
    assert {"vidrt", "onnxruntime", "numpy"} <= names
    assert names & {"torch", "transformers", "onnx", "polygraphy", "diffusers", "onnxscript"} == set()
    assert run(slim / "python", "-c", "import torch").returncode != 0
    assert run(slim / "python", "-m", "pip", "check").returncode == 0


def test_a_slim_environment_makes_a_video(slim, tmp_path):
    """`vidrt generate` makes the demo's video there, with every format, its latents and its record."""
    ended = run(
        slim / "vidrt", "generate", "--gif", "--mp4", "--frames", "--steps", "2", "--save-final-latents", "latents",
        cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    written = {path.name for path in (tmp_path / "output").iterdir()}
    assert {"video.gif", "video.mp4", "video.json", "frame_0000.png", "frame_0016.png"} <= written
    again = run(slim / "vidrt", "generate", "--steps", "2", "--initial-latents-file", "latents", cwd=tmp_path)
    assert again.returncode == 0, again.stderr


def test_a_slim_environment_repeats_its_runs(slim, tmp_path):
    """The same seed makes the same file there, to the byte."""
    for folder in ("first", "second"):
        ended = run(
            slim / "python", "-m", "vidrt", "generate", "--seed", "5", "--steps", "3", "--output-dir", folder,
            cwd=tmp_path,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "first/video.gif").read_bytes() == (tmp_path / "second/video.gif").read_bytes()


@pytest.mark.parametrize("source", ["nowhere", "."])
def test_without_the_extra_the_exporter_says_how_to_install_it(slim, tmp_path, source):
    """`build-engines` without [export] is one line that names the pip install that mends it, and status 2."""
    ended = run(slim / "build-engines", source, "--out", "bundle", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("build-engines: ")
    assert "pip install 'vidrt[export]'" in line
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_local_weights_say_so_too(slim, tmp_path):
    """`vidrt generate --local-weights` without [export] is that one line and status 2."""
    (tmp_path / "weights").mkdir()
    ended = run(slim / "vidrt", "generate", "--quiet", "--local-weights", "weights", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert "pip install 'vidrt[export]'" in line
