"""`vidrt generate --image`: from a picture to files, and the same again from their record."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import imageio.v3
import numpy as np
import pytest
from machines import NO_DRIVER, pretend
from traces import patch_tracing
from vidrt import load_pipeline
from vidrt.cli import local_weights

SMALL = ("--height", "64", "--width", "64", "--num-frames", "3", "--steps", "2")


@pytest.fixture
def generate(vidrt, svd_bundle, photo, place):
    """Runs `vidrt generate` on a picture at its smallest; what is said again overrides."""
    photo.save(place / "photo.png")

    def run(*arguments, source=("--bundle", svd_bundle)):
        return vidrt("generate", "--cpu", *source, "--image", "photo.png", *SMALL, *arguments)

    return run


def record(name="output/video.json"):
    return json.loads(Path(name).read_text(encoding="utf-8"))


def test_a_picture_becomes_a_video(generate):
    """The files are written, their paths are on stdout, and what runs is said on stderr."""
    ended = generate("--seed", "7")
    assert (ended.status, ended.out) == (0, "output/video.gif\noutput/video.json\n")
    assert imageio.v3.improps("output/video.gif").shape == (3, 64, 64, 3)
    assert ended.err.splitlines()[:2] == [
        "Stable Video Diffusion svd, 64x64, 3 frames, seed 7",
        "Device: cpu (onnxruntime).",
    ]


def test_frames_are_those_of_the_library(generate, svd_bundle, photo):
    """The PNG files hold the very frames that the library makes from the same request."""
    assert generate("--frames", "--seed", "7", "--motion-bucket-id", "40", "--resize-mode", "pad").status == 0
    written = np.stack([imageio.v3.imread(path) for path in sorted(Path("output").glob("*.png"))])
    asked = {"height": 64, "width": 64, "num_frames": 3, "num_inference_steps": 2, "seed": 7}
    with load_pipeline(svd_bundle, device="cpu") as pipeline:
        video = pipeline(image=photo, motion_bucket_id=40, resize_mode="pad", **asked)
    assert np.array_equal(written, video.frames)


def test_the_record_repeats_the_run(generate):
    """The values of video.json, asked for again, make the same file."""
    asked = ["--motion-bucket-id", "20", "--noise-aug-strength", "0.1", "--min-guidance-scale", "1.5", "--fps", "12"]
    asked += ["--max-guidance-scale", "2.5", "--decode-chunk-size", "2", "--resize-mode", "pad", "--num-videos", "2"]
    assert generate(*asked, "--compat", "diffusers", "--generator", "T4").status == 0
    was = record("output/video_1.json")
    assert (was["family"], was["image"], was["num_videos"]) == ("svd", "photo.png", 2)
    options = ("height", "width", "num_frames", "fps", "num_videos", "motion_bucket_id", "noise_aug_strength",
               "min_guidance_scale", "max_guidance_scale", "decode_chunk_size", "resize_mode", "seed", "generator",
               "compat")  # fmt: skip
    again = [word for name in options for word in (f"--{name.replace('_', '-')}", was[name])]
    assert generate(*again, "--steps", was["num_inference_steps"], "--output-dir", "again").status == 0
    assert record("again/video_1.json") == was
    for number in range(2):
        name = f"video_{number}.gif"
        assert Path("again", name).read_bytes() == Path("output", name).read_bytes()


def test_what_is_not_asked_is_in_the_record(generate):
    """The defaults that a run took are recorded as if they had been asked for, the drawn seed too."""
    assert generate("--quiet").status == 0
    was = record()
    assert (was["motion_bucket_id"], was["noise_aug_strength"], was["fps"]) == (127, 0.02, 7.0)
    assert (was["min_guidance_scale"], was["max_guidance_scale"], was["resize_mode"]) == (1.0, 3.0, "crop")
    assert was["seed"] >= 0


@pytest.fixture
def exporter_here(monkeypatch, traces, svd_bundle):
    """Lets --local-weights build in this process with the session's graphs, and counts how often it does."""
    assert svd_bundle.is_dir()
    calls = []

    def run(command, *, check):
        from vidrt_export.cli import main

        assert command[:3] == [sys.executable, "-m", "vidrt_export"]
        assert not check
        calls.append(command)
        with pytest.MonkeyPatch.context() as patch:
            patch_tracing(patch, traces)
            patch.setattr(sys, "argv", command[2:])
            try:
                main()
            except SystemExit as ended:
                return subprocess.CompletedProcess(command, ended.code or 0)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(local_weights.subprocess, "run", run)
    return calls


def test_local_weights_are_built_once_and_played(generate, svd_checkpoint, exporter_here, tmp_path, monkeypatch):
    """A folder that diffusers saved is built at the first run, played at both, with the bundle's own frames."""
    monkeypatch.setenv("VIDRT_HOME", str(tmp_path / "home"))
    for number in range(2):
        source = ("--local-weights", svd_checkpoint)
        assert generate("--seed", "7", "--output-dir", str(number), source=source).status == 0
    assert len(exporter_here) == 1
    assert generate("--seed", "7").status == 0
    videos = {Path(folder, "video.gif").read_bytes() for folder in ("0", "1", "output")}
    assert len(videos) == 1


def test_doctor_knows_the_bundle(vidrt, svd_bundle, monkeypatch):
    """Doctor calls it by its name, misses no tokenizer, and says where it plays."""
    pretend(monkeypatch, NO_DRIVER, tensorrt=None, tensorrt_rtx=None)
    ended = vidrt("doctor", svd_bundle)
    assert (ended.status, ended.err) == (0, "")
    lines = ended.out.splitlines()
    at = lines.index(f"Bundle {svd_bundle}")
    told = "Stable Video Diffusion svd, StableVideoDiffusionPipeline, 576x1024, 14 frames at 7 a second"
    assert lines[at + 1] == f"  {told}"
    assert [line.split()[0] for line in lines[at + 2 : -1]] == ["image_encoder", "vae_encoder", "unet", "vae_decoder"]
    assert lines[-1] == "  plays here with --device cpu"


@pytest.mark.parametrize("component", ["image_encoder", "vae_encoder", "unet", "vae_decoder"])
def test_a_bundle_needs_each_component(vidrt, svd_bundle, place, opened, component):
    """Without any of the four nothing is played, which doctor and generate say before anything is opened."""
    folder = shutil.copytree(svd_bundle, place / "bundle")
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    del manifest["engines"][component]
    (folder / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert f"it has no {component} yet" in vidrt("doctor", folder).err
    ended = vidrt("generate", "--cpu", "--bundle", folder, "--image", "photo.png")
    assert (ended.status, ended.err.count("\n"), opened) == (2, 1, [])
    assert f"has no {component} yet" in ended.err
