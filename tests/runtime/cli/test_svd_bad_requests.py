"""What cannot be right with Stable Video Diffusion: one line, exit status 2, nothing opened, nothing left behind."""

import re
import struct
import zlib

import numpy as np
import pytest
from safetensors.numpy import save_file

IMAGES = [
    "", "--image nowhere.png", "--image .", "--image text.png", "--image empty.png", "--image truncated.png",
    "--image truncated.jpg", "--image dot.png", "--image line.png", "--image picture.gif", "--image vast.png",
]  # fmt: skip
NUMBERS = [
    "--height 60", "--height 0", "--height -8", "--height 64.0", "--width 63", "--width nan",
    "--num-frames 0", "--num-frames -1", "--num-frames 1.5", "--fps 0", "--fps 0.5", "--fps nan", "--fps inf",
    "--steps 0", "--steps -1", "--num-videos 0", "--seed -1", "--seed nan", "--generator x",
    "--motion-bucket-id 256", "--motion-bucket-id -1", "--motion-bucket-id 1.5", "--motion-bucket-id nan",
    "--noise-aug-strength nan", "--noise-aug-strength inf", "--noise-aug-strength -0.1", "--noise-aug-strength x",
    "--min-guidance-scale nan", "--min-guidance-scale -1", "--max-guidance-scale inf", "--max-guidance-scale x",
    "--decode-chunk-size 0", "--decode-chunk-size -1", "--decode-chunk-size 1.5",
    "--resize-mode squeeze", "--compat comfy", "--device cuda:99", "--backend tensorrt", "--backend x",
]  # fmt: skip
FOREIGN = [
    "--prompt cat", "--prompt=", "--negative-prompt cat", "--guidance-scale 3", "--ltxv-version 0.9.5",
    "--embeddings-file embeddings", "--initial-latents-file latents", "--save-final-latents final",
]  # fmt: skip
OF_SVD = [
    "--motion-bucket-id 127", "--noise-aug-strength 0.02",
    "--min-guidance-scale 1", "--max-guidance-scale 3", "--decode-chunk-size 4", "--resize-mode crop",
]  # fmt: skip
VAST = "The image vast.png is too large: it should have at most 134 million pixels, and 32768 a side."


def png_head(width, height):
    """The beginning of a PNG that says how large it is."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lengths = [struct.pack(">I", length) for length in (13, 100)]
    start = b"\x89PNG\r\n\x1a\n" + lengths[0] + head + struct.pack(">I", zlib.crc32(head))
    return start + lengths[1] + b"IDAT" + bytes(104)


@pytest.fixture
def files(place, photo):
    """Pictures that are none, and one that is."""
    photo.save(place / "photo.png")
    photo.save(place / "photo.jpg", "JPEG")
    for ending in ("png", "jpg"):
        (place / f"truncated.{ending}").write_bytes((place / f"photo.{ending}").read_bytes()[:-200])
    photo.save(place / "picture.gif")
    photo.resize((1, 1)).save(place / "dot.png")
    photo.resize((200, 1)).save(place / "line.png")
    (place / "vast.png").write_bytes(png_head(20000, 20000))
    (place / "text.png").write_text("no picture")
    (place / "empty.png").touch()
    save_file({"initial_latents": np.ones((1, 3, 4, 8, 8), np.float32)}, place / "latents")
    save_file({"prompt_embeds": np.ones((1, 3, 16), np.float32)}, place / "embeddings")
    return sorted(path.name for path in place.iterdir())


@pytest.fixture
def refused(vidrt, files, place, opened):
    """Runs the command, sees that it is refused in one line with nothing done, and gives that line."""

    def run(*arguments):
        ended = vidrt("generate", "--cpu", *arguments)
        assert (ended.status, ended.out) == (2, "")
        (line,) = ended.err.splitlines()
        assert re.fullmatch(r"vidrt: .{20,}[^.]\.", line)
        assert not re.search(r"[A-Z]\w+Error|Exception", line)
        assert opened == []
        assert sorted(path.name for path in place.iterdir()) == files
        return line

    return run


@pytest.mark.parametrize("arguments", IMAGES)
def test_a_picture_that_is_none(refused, svd_bundle, arguments):
    """No picture, or a file that is not a whole one of a size that can be worked with."""
    refused("--bundle", svd_bundle, *arguments.split())


@pytest.mark.parametrize("arguments", NUMBERS + FOREIGN)
def test_a_bad_request_is_one_line(refused, svd_bundle, arguments):
    """A value beyond its range, or an option of LTX-Video, beside a picture that would do."""
    refused("--bundle", svd_bundle, "--image", "photo.png", *arguments.split())


@pytest.mark.parametrize("arguments", OF_SVD)
def test_ltx_video_takes_none_of_its_options(refused, arguments):
    """The embedded bundle of LTX-Video refuses what only Stable Video Diffusion knows, whatever the value."""
    assert "LTX-Video takes no " in refused(*arguments.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "An image is needed: Stable Video Diffusion makes a video from a picture."),
        ("--image nowhere.png", "There is no image nowhere.png."),
        ("--image dot.png", "The image dot.png is too small with 1×1: it should be 2×2 or more."),
        ("--image truncated.jpg", "The image truncated.jpg is truncated or damaged: save it again."),
        ("--image photo.png --height 60", "The height should be divisible by 8, and 60 is not: take 56 or 64."),
        (
            "--image photo.png --motion-bucket-id 256",
            "The motion bucket should be a whole number from 0 to 255, not 256.",
        ),
        ("--image photo.png --save-final-latents x", "--save-final-latents concerns LTX-Video: leave it out."),
        ("--image vast.png", VAST),
        (
            "--image photo.png --prompt cat",
            "Stable Video Diffusion takes no prompt: leave it out, or use another bundle.",
        ),
    ],
)
def test_the_line_says_what_to_do(refused, svd_bundle, arguments, told):
    """The line says what was expected, what came and what would do."""
    assert refused("--bundle", svd_bundle, *arguments.split()) == f"vidrt: {told}"


def test_a_version_of_ltx_video_with_local_weights(process, svd_checkpoint, files):
    """A folder of Stable Video Diffusion given a version of LTX-Video is refused by the exporter, in its one line."""
    assert files
    ended = process("generate", "--quiet", "--local-weights", svd_checkpoint, "--ltxv-version", "0.9.5")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "a version of LTX-Video does not concern it." in ended.err
