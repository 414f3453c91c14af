"""`vidrt decode`: a run whose decoding failed is finished, and one that is done is decoded again."""

import json
from pathlib import Path

import pytest
from vidrt.components.vae_decoder import VaeDecoder
from vidrt.errors import EngineError


@pytest.fixture
def failing():
    """Makes the decoder run out of memory, until it is told to work again."""
    patch = pytest.MonkeyPatch()

    def fail(*_args, **_options):
        raise EngineError("The VAE decoder failed: out of memory.")

    for name in ("__call__", "stream"):
        patch.setattr(VaeDecoder, name, fail)
    yield patch
    patch.undo()


def test_a_run_that_failed_while_decoding_is_finished(generate, vidrt, failing):
    """The error names the command that goes on; it makes the files that the run would have made."""
    ended = generate("--seed", 7, "--mp4")
    assert ended.status == 1
    command = "vidrt decode output/latents.safetensors --bundle demo:ltx-video"
    assert ended.err.splitlines()[-1] == (
        f"vidrt: The VAE decoder failed: out of memory; the latents are kept, and {command} goes on from there."
    )
    failing.undo()
    again = vidrt(*command.split()[1:], "--output-dir", "again", "--cpu", "--mp4")
    assert (again.status, again.out.split()) == (0, ["again/video.mp4", "again/video.json"])
    assert generate("--seed", 7, "--mp4").status == 0
    for name in ("video.mp4", "video.json"):
        assert Path("again", name).read_bytes() == Path("output", name).read_bytes()


def test_a_run_that_succeeds_leaves_no_latents(generate):
    """What was kept for the case of a failure goes with the video; what was asked for stays."""
    assert generate("--seed", 7).status == 0
    assert sorted(path.name for path in Path("output").iterdir()) == ["video.gif", "video.json"]
    assert generate("--seed", 7, "--save-final-latents", "output/mine.safetensors").status == 0
    assert Path("output/mine.safetensors").is_file()


def test_decoding_again_makes_other_files(generate, vidrt):
    """Latents that were kept become PNG frames without a denoising step; the record is the run's."""
    assert generate("--seed", 7, "--save-final-latents", "mine.safetensors").status == 0
    ended = vidrt("decode", "mine.safetensors", "--output-dir", "frames", "--frames", "--cpu")
    assert ended.status == 0
    assert "denoising" not in ended.err
    assert len(list(Path("frames").glob("*.png"))) == 9
    assert json.loads(Path("frames/video.json").read_text()) == json.loads(Path("output/video.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("none.safetensors", "none.safetensors cannot be read: No such file or directory."),
        ("here", "here is no whole safetensors file"),
        ("mine.safetensors --bundle demo:svd", "demo:svd is of Stable Video Diffusion, and final latents are LTX-"),
        ("mine.safetensors --bundle none", "none is no bundle"),
        ("mine.safetensors --cpu --device cuda", "--cpu and --device cuda contradict each other."),
        ("mine.safetensors --output-dir here", "the output folder here cannot be made"),
    ],
)
def test_what_cannot_be_right_is_one_sentence(generate, vidrt, arguments, told):
    """Bad files, bundles, devices and places: status 2 and one line, before the decoder is opened."""
    assert generate("--seed", 7, "--save-final-latents", "mine.safetensors").status == 0
    Path("here").write_text("no latents")
    ended = vidrt("decode", *arguments.split())
    assert ended.status == 2
    assert ended.err.splitlines()[-1].startswith(f"vidrt: {told}")


def test_an_mp4_is_written_as_its_frames_come(generate, monkeypatch):
    """Asked for an MP4 alone, no array of all frames is made; the file is that of a run that makes one."""
    from vidrt.pipelines.ltx_video.pipeline import LtxVideoPipeline

    assert generate("--seed", 7, "--mp4", "--gif", "--num-videos", 2).status == 0
    monkeypatch.setattr(LtxVideoPipeline, "decode_final", None)
    assert generate("--seed", 7, "--mp4", "--num-videos", 2, "--output-dir", "streamed").status == 0
    for name in ("video_0.mp4", "video_1.mp4", "video_0.json", "video_1.json"):
        assert Path("streamed", name).read_bytes() == Path("output", name).read_bytes()
