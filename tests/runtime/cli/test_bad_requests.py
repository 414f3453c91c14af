"""What cannot be right: one line, exit status 2, nothing opened, nothing left behind."""

import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

NUMBERS = [
    "--height 100", "--height 0", "--height -32", "--height x", "--height 64.0", "--height 1e3", "--width 33",
    "--num-frames 10", "--num-frames 8", "--num-frames 0", "--num-frames -7", "--num-frames nan",
    "--fps 0", "--fps -1", "--fps nan", "--fps inf", "--fps x",
    "--num-videos 0", "--num-videos -1", "--num-videos 1.5",
    "--steps 0", "--steps -1", "--steps x",
    "--guidance-scale nan", "--guidance-scale inf", "--guidance-scale -1", "--guidance-scale x",
    "--step-cache x", "--step-cache -1", "--step-cache nan", "--step-cache 0.1",  # which two steps cannot use
    "--seed -1", "--seed x", "--seed 1.5", "--seed 18446744073709551616", "--seed nan",
    "--generator x", "--generator cuda:0", "--generator 0x2048",
]  # fmt: skip
CHOICES = [
    "--ltxv-version 0.9.50", "--ltxv-version 0.9.8-2b-distilled", "--ltxv-version 0.9.8-13b-dev",
    "--backend tensorrt", "--backend x", "--device gpu", "--device cuda:99", "--cpu --device cuda", "--compat comfy",
]  # fmt: skip
FILES = [
    "--bundle nowhere", "--bundle demo:nothing", "--bundle a-file", "--bundle .", "--bundle=",
    "--embeddings-file nowhere", "--embeddings-file .", "--embeddings-file a-file", "--embeddings-file latents",
    "--embeddings-file cut", "--embeddings-file narrow", "--embeddings-file positive", "--embeddings-file no-numbers",
    "--embeddings-file whole --prompt cat", "--embeddings-file whole --negative-prompt cat",
    "--initial-latents-file nowhere", "--initial-latents-file .", "--initial-latents-file a-file",
    "--initial-latents-file whole", "--initial-latents-file latents", "--initial-latents-file cut",
    "--local-weights nowhere", "--local-weights a-file", "--local-weights folder --bundle demo:ltx-video",
    "--local-weights folder --device cuda:99", "--model-id tiny/ltx --bundle demo:ltx-video",
    "--model-id tiny/ltx --local-weights folder", "--model-id folder", "--revision main",
    "--revision main --local-weights folder", "--model-id tiny/ltx --device cuda:99",
    "--unified-weights nowhere", "--unified-weights folder", "--unified-weights a-file --bundle demo:ltx-video",
    "--unified-weights a-file --local-weights folder", "--unified-weights a-file --model-id tiny/ltx",
    "--unified-weights a-file --revision main", "--unified-weights a-file --use-bf16-t5",
    "--use-bf16-t5", "--use-bf16-t5 --bundle demo:ltx-video", "--use-bf16-t5 --model-id tiny/ltx",
    "--output-dir a-file", "--output-dir a-file/deeper", "--output-dir taken",
    "--save-final-latents folder", "--save-final-latents nowhere/latents", "--save-final-latents a-file/latents",
]  # fmt: skip
USAGE = ["--unknown 1", "surplus", "--height", "--seed 1 --seed", "--mp4=yes"]


@pytest.fixture
def files(place):
    """Files and folders that are not what they should be, or not for this request."""
    (place / "a-file").write_text("no tensors, no bundle")
    (place / "folder").mkdir()
    (place / "taken/video.gif").mkdir(parents=True)
    rows, bad = np.ones((1, 3, 128), np.float32), np.full((1, 3, 128), np.nan, np.float32)
    both = {"prompt_embeds": rows, "negative_prompt_embeds": rows}
    save_file(both, place / "whole")
    save_file({**both, "prompt_embeds": bad}, place / "no-numbers")
    save_file({name: values[:, :, :127].copy() for name, values in both.items()}, place / "narrow")
    save_file({"prompt_embeds": rows}, place / "positive")
    save_file({"initial_latents": np.ones((1, 9, 8), np.float32)}, place / "latents")
    (place / "cut").write_bytes((place / "whole").read_bytes()[:-1])
    return sorted(str(path) for path in place.rglob("*"))


def assert_refused(ended):
    assert ended.status == 2
    assert ended.out == ""
    (line,) = ended.err.splitlines()
    assert line.startswith("vidrt: ")
    assert line.endswith(".")
    assert not line.endswith("..")
    assert len(line) > 20
    assert not re.search(r"[A-Z]\w+Error|Exception", line)


@pytest.mark.parametrize("arguments", NUMBERS + CHOICES + FILES + USAGE)
def test_a_bad_request_is_one_line(generate, place, files, opened, arguments):
    """A request that cannot be right ends with status 2 and one line, before any engine is opened or folder made."""
    assert_refused(generate(*arguments.split()))
    assert opened == []
    assert sorted(str(path) for path in place.rglob("*")) == files


def test_the_same_request_without_the_fault_runs(generate, files):
    """What surrounds the faults above is no fault: embeddings, output and seed in their places make a video."""
    assert len(files) > 5
    ended = generate("--embeddings-file", "whole", "--output-dir", "folder/new", "--seed", "1")
    assert (ended.status, Path("folder/new/video.gif").is_file()) == (0, True)


@pytest.mark.parametrize("arguments", ["", "unknown", "--unknown"])
def test_a_bad_command_is_one_line(vidrt, place, arguments):
    """No command, or one that does not exist, is one line too."""
    assert_refused(vidrt(*arguments.split()))
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--height 100", "vidrt: The height should be divisible by 32, and 100 is not: take 96 or 128."),
        ("--num-frames 10", "vidrt: The number of frames should be 4·n + 1, and 10 is not: take 9 or 13."),
        (
            "--backend x",
            "vidrt: The backend should be one of auto, onnxruntime, tensorrt, tensorrt-rtx, openvino, not 'x'.",
        ),
        ("--cpu --device cuda", "vidrt: --cpu and --device cuda contradict each other."),
        ("--bundle nowhere", "vidrt: nowhere is no bundle: it has no bundle.json; make one with build-engines."),
        ("--output-dir a-file", "vidrt: the output folder a-file cannot be made: a file is in its place."),
        ("--embeddings-file nowhere", "vidrt: nowhere cannot be read: No such file or directory."),
    ],
)
def test_the_line_says_what_to_do(generate, files, arguments, told):
    """The line says what was expected, what came and what would do."""
    assert files
    assert generate(*arguments.split()).err == told + "\n"


def test_steps_beside_a_list_quote_the_list(generate):
    """A number of steps for a version with a list of sigmas is refused with the list."""
    ended = generate("--ltxv-version", "0.9.8-2b-distilled")
    assert_refused(ended)
    assert "(1, 0.9937, 0.9875, 0.9812, 0.975, 0.9094, 0.725): leave the number of steps out" in ended.err


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that takes no new folder from anyone")
def test_an_output_folder_that_cannot_be_made(generate, place):
    """A place where nobody can make a folder is found out before the work."""
    assert_refused(generate("--output-dir", "/proc/self/output"))
    assert list(place.iterdir()) == []


def test_an_output_folder_that_cannot_be_written_to(generate, place, opened, monkeypatch):
    """A folder without the right to write, simulated since root has every right, is found out before the work."""

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    ended = generate("--output-dir", "out")
    assert_refused(ended)
    assert ended.err == "vidrt: the output folder out cannot be written to: Permission denied.\n"
    assert (opened, list(place.iterdir())) == ([], [])


def test_a_damaged_bundle_is_refused_by_its_size(generate, demo_copy):
    """An engine that lost its end is found before any weight is read."""
    (graph,) = demo_copy.glob("transformer/*/model.onnx")
    graph.write_bytes(graph.read_bytes()[:-1])
    assert_refused(generate("--bundle", demo_copy))


def test_a_bundle_of_a_newer_format_is_refused(generate, demo_copy):
    """A bundle of a later format says how to upgrade."""
    manifest = demo_copy / "bundle.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"format": 1', '"format": 99'), encoding="utf-8")
    ended = generate("--bundle", demo_copy)
    assert_refused(ended)
    assert ended.err.endswith("has format 99 and this vidrt reads up to 1; upgrade with pip install -U vidrt.\n")


@pytest.mark.parametrize("missing", ["bundle.json", "tokenizer"])
def test_a_bundle_that_lacks_a_part_is_refused(generate, demo_copy, missing):
    """A bundle without its manifest or its tokenizer is one line."""
    path = demo_copy / missing
    path.unlink() if path.is_file() else shutil.rmtree(path)
    assert_refused(generate("--bundle", demo_copy))


def test_a_process_ends_with_status_2(process, place):
    """In a process of its own a bad request is that one line and nothing else: no warning, no traceback."""
    assert_refused(process("generate", "--fps", "nan"))
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("arguments", ["--height 100", "--seed x", "--bundle nowhere"])
def test_debug_gives_a_traceback(generate, arguments):
    """With --debug the traceback comes before the line, and the status stays."""
    ended = generate("--debug", *arguments.split())
    assert ended.status == 2
    assert ended.err.startswith("Traceback (most recent call last):\n")
    assert ended.err.splitlines()[-1].startswith("vidrt: ")
