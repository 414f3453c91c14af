"""`--vae-tiling`, `--vae-tile-size` and `--vae-slicing`: what they change, and what they are refused for."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

LARGER = ("--height", 128, "--width", 96, "--seed", 7, "--frames")


def frames():
    return [path.read_bytes() for path in sorted(Path("output").glob("frame_*.png"))]


def record():
    return json.loads(Path("output/video.json").read_text())


def test_tiles_change_frames_and_are_recorded(generate):
    """Tiles smaller than the video go into its frames and its record; the default ones cover it and change nothing."""
    assert generate(*LARGER).status == 0
    whole = frames()
    assert "vae_tiles" not in record()
    assert generate(*LARGER, "--vae-tiling").status == 0
    assert (frames(), record()["vae_tiles"]) == (whole, "512x512")
    assert generate(*LARGER, "--vae-tile-size", "64x64x8").status == 0
    assert record()["vae_tiles"] == "64x64x8"
    tiled = frames()
    assert len(tiled) == len(whole)
    assert tiled != whole


def test_latents_are_decoded_in_tiles_later(generate, vidrt):
    """`vidrt decode` takes the same options, and makes the frames that the run made with them."""
    assert generate(*LARGER, "--vae-tile-size", "64x64", "--save-final-latents", "mine.safetensors").status == 0
    tiled = frames()
    assert vidrt("decode", "mine.safetensors", "--cpu", "--frames", "--vae-tile-size", "64x64").status == 0
    assert frames() == tiled


def test_slicing_changes_no_frame(generate, monkeypatch):
    """Videos decoded in one call are within 1 of those decoded one by one; the decoder sees one or both."""
    from vidrt.components.vae_decoder import VaeDecoder

    seen, stream = [], VaeDecoder.stream

    def watched(self, latents, *others):
        seen.append(len(latents))
        return stream(self, latents, *others)

    monkeypatch.setattr(VaeDecoder, "stream", watched)
    made = []
    for option in ("--vae-slicing", "--no-vae-slicing"):
        assert generate("--seed", 7, "--num-videos", 2, "--frames", option).status == 0
        made.append(np.stack([np.asarray(Image.open(io.BytesIO(frame)), int) for frame in frames()]))
    assert seen == [1, 1, 2]
    assert made[0].shape == (18, 64, 64, 3)
    assert np.abs(made[0] - made[1]).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--vae-tile-size", "64"], "The size of tiles should be like 512x512"),
        (["--vae-tile-size", "64x50"], "The width of tiles should be divisible by 32, and 50 is not: take 32."),
        (["--vae-tiling", "--bundle", "demo:svd"], "VAE tiling and decoding without slicing concern LTX-Video"),
        (["--no-vae-slicing", "--bundle", "demo:svd"], "VAE tiling and decoding without slicing concern LTX-Video"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(generate, arguments, told):
    """One sentence, and no file."""
    ended = generate(*arguments)
    assert ended.status == 2
    assert ended.err.startswith(f"vidrt: {told}")
    assert len(ended.err.splitlines()) == 1
    assert not Path("output").exists()
