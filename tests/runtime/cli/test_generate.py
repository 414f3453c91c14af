"""`vidrt generate`: which files it writes, what it says, and that it can be repeated."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import imageio.v3
import numpy as np
import pytest
from safetensors.numpy import save_file
from vidrt.pipelines.latents import unpack
from vidrt.tensor_files import read_latents
from vidrt_engines.names import Compat
from vidrt_engines.versions import VERSIONS

FRAMES = [f"frame_{index:04d}.png" for index in range(9)]


def names(folder="output"):
    return sorted(path.name for path in Path(folder).iterdir())


def record(name="output/video.json"):
    return json.loads(Path(name).read_text(encoding="utf-8"))


def pictures(folder="output", pattern="frame_*.png"):
    paths = sorted(Path(folder).glob(pattern))
    assert paths
    return np.stack([imageio.v3.imread(path) for path in paths])


def test_a_gif_and_its_record_are_the_default(generate):
    """Without a format asked for there are video.gif and video.json, and their paths on stdout."""
    ended = generate()
    assert (ended.status, ended.out) == (0, "output/video.gif\noutput/video.json\n")
    assert names() == ["video.gif", "video.json"]
    assert imageio.v3.improps("output/video.gif").shape[1:] == (64, 64, 3)


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("--gif", ["video.gif"]),
        ("--mp4", ["video.mp4"]),
        ("--frames", FRAMES),
        ("--gif --mp4", ["video.gif", "video.mp4"]),
        ("--frames --gif --mp4", [*FRAMES, "video.gif", "video.mp4"]),
    ],
)
def test_exactly_the_formats_asked_for_are_written(generate, asked, written):
    """Each format comes when it is asked for, frames are PNG without a GIF, and the record always."""
    assert generate(*asked.split(), "--output-dir", "a/b").status == 0
    assert names("a/b") == sorted([*written, "video.json"])
    assert names(".") == ["a"]


def test_frames_are_those_of_the_library(generate, demo, small):
    """The PNG files hold the very frames that the library makes from the same request."""
    assert generate("--frames", "--steps", "3", "--seed", "7", "--prompt", "a cat").status == 0
    assert np.array_equal(pictures(), demo(**small, prompt="a cat").frames)


def test_several_videos_have_numbers(generate, demo, small):
    """Two videos have a number in each name, and are the library's two."""
    ended = generate("--num-videos", "2", "--gif", "--mp4", "--frames", "--seed", "7", "--steps", "3")
    assert ended.status == 0
    numbered = [f"frame_{video}_{index:04d}.png" for video in range(2) for index in range(9)]
    files = [f"video_{video}.{ending}" for video in range(2) for ending in ("gif", "mp4", "json")]
    assert names() == sorted(numbered + files)
    for number, video in enumerate(demo.videos(**small, num_videos=2)):
        assert np.array_equal(pictures(pattern=f"frame_{number}_*.png"), video.frames)
        assert record(f"output/video_{number}.json")["video"] == number


def test_the_seed_is_printed_and_recorded(generate):
    """A seed is always said, asked or drawn; asked for again, a drawn one makes the same file."""
    first = generate()
    seed = int(re.search(r"seed (\d+)$", first.err, re.MULTILINE)[1])
    assert record()["seed"] == seed
    second = generate("--seed", seed, "--output-dir", "again")
    assert f"seed {seed}\n" in second.err
    assert Path("again/video.gif").read_bytes() == Path("output/video.gif").read_bytes()
    assert int(re.search(r"seed (\d+)$", generate().err, re.MULTILINE)[1]) != seed


def test_the_device_is_printed(generate):
    """Where it runs and what runs it is said, and what the demo knows."""
    said = generate().err
    assert "Device: cpu (onnxruntime).\n" in said
    assert "circles, squares and triangles" in said


def test_quiet_prints_nothing(generate):
    """With --quiet both streams stay empty, and the files are there all the same."""
    ended = generate("--quiet")
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert names() == ["video.gif", "video.json"]


def test_errors_are_not_quiet(generate):
    """With --quiet an error still says its line."""
    assert generate("--quiet", "--height", "100").err.startswith("vidrt: The height should be divisible by 32")


def test_a_file_gets_plain_lines(process):
    """Into a pipe, progress is plain lines without a bar's control characters, results on stdout alone."""
    ended = process("generate", "--cpu", "--height", "64", "--width", "64", "--num-frames", "9", "--steps", "2")
    assert (ended.status, ended.out) == (0, "output/video.gif\noutput/video.json\n")
    assert "denoising: 2 steps in" in ended.err
    assert not set("\r\x1b") & set(ended.err)


def test_the_record_repeats_the_run(generate, any_version):
    """The values of video.json, asked for again, make the same file."""
    asked = ["--prompt", "a red house", "--negative-prompt", "", "--fps", "12.5", "--guidance-scale", "2.5"]
    generate(*asked, "--generator", "T4", "--bundle", any_version, "--ltxv-version", "0.9.1", "--compat", "diffusers")
    was = record()
    generate(
        "--prompt", was["prompt"], "--negative-prompt", was["negative_prompt"], "--height", was["height"],
        "--width", was["width"], "--num-frames", was["num_frames"], "--fps", was["fps"],
        "--steps", was["num_inference_steps"], "--guidance-scale", was["passes"][0]["guidance"]["scales"][0],
        "--seed", was["seed"], "--generator", was["generator"], "--ltxv-version", was["ltxv_version"],
        "--compat", was["compat"], "--bundle", any_version, "--output-dir", "again",
    )  # fmt: skip
    assert Path("again/video.gif").read_bytes() == Path("output/video.gif").read_bytes()
    assert record("again/video.json") == was
    assert (was["fps"], was["compat"], was["negative_prompt"]) == (12.5, Compat.DIFFUSERS, "")


def test_final_latents_are_written_and_read_back(generate, demo, small):
    """The saved latents are the last step's, as a grid with the seed beside them, and are read as first latents are."""
    assert generate("--save-final-latents", "final.safetensors", "--seed", "7", "--steps", "3").status == 0
    *_, last = demo.denoise(**small)
    saved = read_latents(Path("final.safetensors"))
    assert saved.shape == (1, 48, 3, 2, 2)
    assert np.array_equal(saved, unpack(last.latents, last.grid))
    assert generate("--initial-latents-file", "final.safetensors").status == 0


def test_first_latents_from_a_file(generate):
    """The noise of a seed from a file gives the file of that seed; other noise another."""
    from vidrt.noise.torch_cpu import TorchCpuGenerator

    generate("--seed", "7")
    for folder, seed in (("same", 7), ("other", 8)):
        noise = TorchCpuGenerator(seed).normal((1, 12, 48)).transpose(0, 2, 1).reshape(1, 48, 3, 2, 2)
        save_file({"initial_latents": np.ascontiguousarray(noise)}, "noise")
        assert generate("--seed", "7", "--initial-latents-file", "noise", "--output-dir", folder).status == 0
    wanted = Path("output/video.gif").read_bytes()
    assert Path("same/video.gif").read_bytes() == wanted
    assert Path("other/video.gif").read_bytes() != wanted


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("0.9.5", None),
        ("0.9.7-distilled", "The official code runs 0.9.7-distilled in two passes."),
        ("0.9.8-13b-dev", "The official code runs 0.9.8-13b-dev in two passes."),
        ("0.9.6-distilled", None),
    ],
)
def test_what_the_official_code_does_more_is_said(vidrt, any_version, version, told):
    """A version whose official run has more than this one says so; one that is run whole, or as diffusers, does not."""
    asked = ("generate", "--cpu", "--bundle", any_version, "--height", 32, "--width", 32, "--num-frames", 1)
    official = vidrt(*asked, "--ltxv-version", version).err
    assert told in official if told else "official" not in official
    assert "official" not in vidrt(*asked, "--ltxv-version", version, "--compat", "diffusers").err


def test_a_damaged_engine_fails_on_the_way(generate, demo_copy):
    """An engine overwritten by as many other bytes fails when it is opened: status 1, one line of error, no file."""
    (graph,) = demo_copy.glob("transformer/*/model.onnx")
    graph.write_bytes(b"\x00" * graph.stat().st_size)
    ended = generate("--bundle", demo_copy, "--quiet")
    assert (ended.status, ended.out) == (1, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("vidrt: onnxruntime cannot open the transformer: ")
    assert not Path("output").exists()


def test_lost_values_fail_on_the_way(generate, demo_copy):
    """Weights that are no numbers are status 1 and one line, and never a black video."""
    (weights,) = demo_copy.glob("transformer/*/model.weights")
    weights.write_bytes(b"\x00\x7e" * (weights.stat().st_size // 2))  # NaN in fp16
    ended = generate("--bundle", demo_copy, "--quiet")
    assert (ended.status, ended.out) == (1, "")
    (line,) = ended.err.splitlines()
    assert "The transformer gave infinite values or no numbers" in line
    assert not Path("output").exists()


def test_debug_shows_where_it_failed(generate, demo_copy):
    """With --debug a failure on the way keeps its status and shows the traceback."""
    (graph,) = demo_copy.glob("transformer/*/model.onnx")
    graph.write_bytes(b"\x00" * graph.stat().st_size)
    ended = generate("--bundle", demo_copy, "--debug")
    assert ended.status == 1
    assert "Traceback (most recent call last)" in ended.err
    assert "EngineError" in ended.err


def test_a_full_disk_fails_on_the_way(generate):
    """A file that cannot be written to its end is status 1 and one line, and no part of it stays."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        ended = generate("--quiet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert line.startswith("vidrt: output/video.gif could not be written: ")
    assert names() == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_ctrl_c_is_one_line(place):
    """Stopped in the middle of its steps, the command says so in one line, exits with 130 and leaves no folder."""
    command = [sys.executable, "-m", "vidrt", "generate", "--cpu", "--steps", "1000000"]

    def heed() -> None:  # a shell that runs this in the background has told its children not to
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as running:  # noqa: PLW1509
        lines = []
        for line in running.stderr:
            lines.append(line)
            if line.startswith("denoising: step"):
                running.send_signal(signal.SIGINT)
                break
        lines += running.stderr.readlines()
        status = running.wait(60)
    assert lines[-1] == "vidrt: stopped.\n"
    assert not any("Traceback" in line or "Interrupt" in line for line in lines)
    assert status == 130
    assert list(place.iterdir()) == []


def test_help_and_version(vidrt):
    """Help lists every option once with what it does, and the version is the installed one."""
    from importlib.metadata import version

    ended = vidrt("generate", "--help")
    assert (ended.status, ended.err) == (0, "")
    for option in ("--bundle", "--prompt", "--seed", "--compat", "--save-final-latents", "--quiet", "--debug"):
        assert len(re.findall(rf"^  {option} ", ended.out, re.MULTILINE)) == 1
    ended = vidrt("--version")
    assert (ended.status, ended.out) == (0, f"vidrt, version {version('vidrt')}\n")


@pytest.mark.parametrize("version", ["0.9.0", "0.9.8-2b-distilled"])
def test_a_version_can_be_asked_for(vidrt, any_version, version):
    """A version's own schedule is run where it is asked for, its number of steps included."""
    asked = ("--bundle", any_version, "--height", 32, "--width", 32, "--num-frames", 1)
    assert vidrt("generate", "--cpu", *asked, "--ltxv-version", version).status == 0
    schedule = VERSIONS[version].schedule
    assert record()["num_inference_steps"] == (len(schedule.sigmas) or 20)
    assert record()["ltxv_version"] == version
