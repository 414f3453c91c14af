"""LTX-Video's VAE tile by tile, in graphs that were built as any, against diffusers' tiled decoding."""

import numpy as np
import pytest
import tiny_ltx
import torch
from vidrt import load_pipeline
from vidrt.components.tiles import Tiles, parse_tiles
from vidrt.components.tiling import decode_tiled, tile_shapes
from vidrt.errors import RequestError
from vidrt.pipelines.latents import to_bytes, unit_range

SIDE, TIME = 32, 8  # pixels and frames of a latent
MANY = (7, 5, 4)  # latent frames, rows, columns: several tiles in each direction, and shorter ones at the ends
SMALL = Tiles(height=96, width=64, frames=16, overlap_height=64, overlap_width=32, overlap_frames=8)


@pytest.fixture(params=tiny_ltx.FORMS)
def played(request, bundles, checkpoints):
    """The decoder of a bundle, and diffusers' VAE of the same weights, whose injected noise counts for nothing."""
    import diffusers

    oracle = diffusers.AutoencoderKLLTXVideo.from_pretrained(checkpoints(request.param), subfolder="vae").eval()
    for name, values in oracle.named_parameters():
        if "per_channel_scale" in name:
            torch.nn.init.zeros_(values)
    with load_pipeline(bundles(request.param), device="cpu", backend="onnxruntime") as pipeline:
        yield pipeline.components["vae_decoder"], oracle


def wanted(oracle, latents, tiles):
    """Diffusers' frames, with frame-wise decoding where tiles have frames."""
    cut = tiles.in_latents(SIDE, TIME)
    time = cut.frames or Tiles(frames=16).in_latents(SIDE, TIME).frames
    oracle.enable_tiling(tiles.height, tiles.width, time.size * TIME, cut.rows.kept, cut.columns.kept, time.kept)
    oracle.use_framewise_decoding = tiles.frames is not None
    timestep = torch.tensor([0.05]) if oracle.config.timestep_conditioning else None
    with torch.no_grad():
        return oracle.decode(torch.from_numpy(latents), timestep).sample.numpy()


def decoded(decoder, latents, tiles):
    def tile(part, _):
        return np.concatenate(list(decoder.stream(np.ascontiguousarray(part), 0.05)), axis=2)

    with decoder.held_for_tiles([latents.shape[2]]):
        return list(decode_tiled(tile, latents, (), tiles.in_latents(SIDE, TIME)))


def random_latents(frames, rows, columns):
    return np.random.default_rng(frames).standard_normal((1, 8, frames, rows, columns), np.float32)


@pytest.mark.parametrize(
    ("tiles", "shape"),
    [
        (SMALL, MANY),
        (Tiles(height=96, width=64, frames=16), MANY),
        (Tiles(height=64, width=96), (2, 5, 4)),
        (Tiles(height=256, width=256, frames=32), MANY),
        (Tiles(height=160, width=64), (2, 5, 4)),
        (Tiles(height=32, width=32, frames=8), (3, 2, 2)),
    ],
    ids=["strides", "everywhere", "space", "time", "one-axis", "latents"],
)
def test_tiled_frames_are_diffusers(played, tiles, shape):
    """Every byte is within 1 of diffusers' tiled decoding, and differs from the whole's where tiles meet."""
    decoder, oracle = played
    latents = random_latents(*shape)
    parts = decoded(decoder, latents, tiles)
    got, expected = np.concatenate(parts, axis=2), wanted(oracle, latents, tiles)
    assert got.shape == expected.shape == (1, 3, (shape[0] - 1) * TIME + 1, shape[1] * SIDE, shape[2] * SIDE)
    as_bytes = [to_bytes(unit_range(one)).astype(int) for one in (got, expected, decoder(latents, 0.05))]
    assert np.abs(as_bytes[0] - as_bytes[1]).max() <= 1
    assert np.abs(as_bytes[0] - as_bytes[2]).max() > 1
    if tiles.frames is not None:
        assert max(part.shape[2] for part in parts) <= tiles.frames + 1  # the first latent frame is one more


def test_a_tile_gets_its_part_of_the_noise():
    """Maps are cut as latents are, each by its own scale, so that the noise of a place is the same in every tile."""
    latents, maps = random_latents(2, 5, 4), [np.arange(20.0).reshape(5, 4), np.arange(320.0).reshape(20, 16)]
    seen = []

    def tile(part, cut):
        seen.append((part, cut))
        return np.zeros((1, 3, 9, part.shape[3] * SIDE, part.shape[4] * SIDE), np.float32)

    tiles = Tiles(height=96, width=64).in_latents(SIDE, TIME)
    list(decode_tiled(tile, latents, maps, tiles))
    assert {part.shape[2:] for part, _ in seen} == tile_shapes(tiles, 2, 5, 4)
    for part, (small, large) in seen:
        assert small.shape == part.shape[3:]
        row, column = divmod(int(small[0, 0]), 4)
        height, width = part.shape[3:]
        assert np.array_equal(part, latents[..., row : row + height, column : column + width])
        assert np.array_equal(small, maps[0][row : row + height, column : column + width])
        assert np.array_equal(large, maps[1][4 * row : 4 * (row + height), 4 * column : 4 * (column + width)])


def test_defaults_are_those_of_diffusers():
    """512 pixels every 448, and 16 frames every 8 where frames are given, as a new AutoencoderKLLTXVideo has them."""
    oracle, tiles = tiny_ltx.vae("0.9.0"), Tiles(frames=16).in_latents(SIDE, TIME)
    assert (Tiles().height, Tiles().width) == (oracle.tile_sample_min_height, oracle.tile_sample_min_width)
    assert Tiles().frames is None
    assert not oracle.use_framewise_decoding
    kept = oracle.tile_sample_stride_height, oracle.tile_sample_stride_width, oracle.tile_sample_stride_num_frames
    assert (tiles.rows.kept, tiles.columns.kept, tiles.frames.kept) == kept


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("512", "The size of tiles should be like 512x512, or 512x512x16 with frames, not '512'."),
        ("0x512", "The size of tiles should be like"),
        ("512x500", "The width of tiles should be divisible by 32, and 500 is not: take 480."),
        ("16x512", "The height of tiles should be divisible by 32, and 16 is not: take 32."),
        ("512x512x12", "The number of frames of tiles should be divisible by 8, and 12 is not: take 8."),
    ],
)
def test_tiles_that_cannot_be_are_one_sentence(text, told):
    """A size is refused with one that is right."""
    with pytest.raises(RequestError) as error:
        parse_tiles(text).in_latents(SIDE, TIME)
    assert str(error.value).startswith(told)


def test_sizes_are_read_as_they_are_written():
    """What is shown can be given again."""
    for text in ("512x768", "512x768x16"):
        assert str(parse_tiles(text)) == text
