"""Rotary tables and coordinates against diffusers.

Tables are compared by relative L2 with 2e-5: the highest frequencies are in the ten thousands, so that one unit in the
last place of one of them, which differs between maths libraries, already turns an angle by a thousandth.
"""

import numpy as np
import pytest
import torch
from diffusers import LTXConditionPipeline
from diffusers.models.transformers.transformer_ltx import LTXVideoRotaryPosEmbed
from vidrt.pipelines.latents import LatentGrid
from vidrt.pipelines.ltx_video.rope import rope_tables, token_coordinates
from vidrt_engines.versions import RopeTime

BOUND = 2e-5
GRIDS = [(1, 1, 1), (2, 2, 3), (4, 4, 6), (13, 8, 12)]


def grid_of(frames, rows, columns):
    return LatentGrid(frames=frames, rows=rows, columns=columns, temporal=8, spatial=32)


def relative_l2(got, expected):
    assert got.shape == expected.shape
    assert np.isfinite(expected).all()
    return np.linalg.norm(got.astype(np.float64) - expected) / np.linalg.norm(expected.astype(np.float64))


def condition_coordinates(grid, fps):
    """LTXConditionPipeline's coordinates of a video without conditions: (1, 3, S)."""
    ids = LTXConditionPipeline._prepare_video_ids(1, grid.frames, grid.rows, grid.columns)
    coordinates = LTXConditionPipeline._scale_video_ids(ids, scale_factor=32, scale_factor_t=8).float()
    coordinates[:, 0] = coordinates[:, 0] * (1.0 / fps)
    return coordinates


def assert_tables(ours, theirs):
    """Both tables of ours, each entry twice as diffusers has them, against theirs (1, S, width)."""
    for table, expected in zip(ours, theirs, strict=True):
        assert table.dtype == np.float32
        assert relative_l2(np.repeat(table, 2, axis=1), expected[0].numpy()) <= BOUND


@pytest.mark.parametrize("fps", [25, 24, 30, 23.976])
@pytest.mark.parametrize("size", GRIDS, ids=str)
@pytest.mark.parametrize("width", [32, 2048, 4096])
def test_tables_are_those_of_ltx_pipeline(width, size, fps):
    """With time from the frame's start, the tables are those that LTXPipeline's transformer makes."""
    grid = grid_of(*size)
    theirs = LTXVideoRotaryPosEmbed(dim=width)(torch.empty(1, 1), *size, rope_interpolation_scale=(8 / fps, 32, 32))
    assert_tables(rope_tables(token_coordinates(grid, fps, RopeTime.PLAIN), width), theirs)


@pytest.mark.parametrize("fps", [25, 24, 30, 23.976])
@pytest.mark.parametrize("size", GRIDS, ids=str)
@pytest.mark.parametrize("width", [32, 2048, 4096])
def test_tables_are_those_of_condition_pipeline(width, size, fps):
    """With the first frame alone in its latent frame, the tables are those of LTXConditionPipeline."""
    grid = grid_of(*size)
    coordinates = condition_coordinates(grid, fps)
    theirs = LTXVideoRotaryPosEmbed(dim=width)(torch.empty(1, 1), video_coords=coordinates)
    assert_tables(rope_tables(token_coordinates(grid, fps, RopeTime.CAUSAL), width), theirs)


@pytest.mark.parametrize("fps", [25, 24, 30, 23.976, 60])
@pytest.mark.parametrize("size", GRIDS, ids=str)
def test_coordinates_are_those_of_condition_pipeline(size, fps):
    """Seconds, rows and columns of every token are LTXConditionPipeline's, to the bit."""
    got = token_coordinates(grid_of(*size), fps, RopeTime.CAUSAL)
    assert got.dtype == np.float32
    assert np.array_equal(got, condition_coordinates(grid_of(*size), fps)[0].T.numpy())


def test_coordinates_by_hand():
    """Time is 8 f / fps, or max(8 f - 7, 0) / fps; rows and columns go in steps of 32; columns change fastest."""
    grid = grid_of(3, 2, 2)
    plain = token_coordinates(grid, 25, RopeTime.PLAIN)
    assert plain[:, 1:].tolist() == [[0, 0], [0, 32], [32, 0], [32, 32]] * 3
    assert plain[::4, 0] == pytest.approx([0, 0.32, 0.64], abs=1e-7)
    assert token_coordinates(grid, 25, RopeTime.CAUSAL)[::4, 0] == pytest.approx([0, 0.04, 0.36], abs=1e-7)


@pytest.mark.parametrize(("width", "unrotated"), [(32, 1), (2048, 1), (4096, 2), (36, 0)])
def test_pairs_that_three_axes_leave_over_are_not_rotated(width, unrotated):
    """The leading width % 6 channels, half as many pairs, have cosine 1 and sine 0, and none after them."""
    cosines, sines = rope_tables(token_coordinates(grid_of(2, 2, 2), 25, RopeTime.PLAIN), width)
    assert cosines.shape == sines.shape == (8, width // 2)
    assert (cosines[:, :unrotated] == 1).all()
    assert (sines[:, :unrotated] == 0).all()
    assert (sines[:, unrotated:] != 0).any(axis=0).all()
    assert np.abs(cosines.astype(np.float64) ** 2 + sines.astype(np.float64) ** 2 - 1).max() < 1e-6
