"""Rotary tables against diffusers."""

import pytest
import torch
from diffusers.models.transformers.transformer_ltx import LTXVideoRotaryPosEmbed
from vidrt_reference.ltx_video.rope import rope_tables

FPS = 25.0


def grid(frames, rows, columns):
    """Coordinates (S, 3) of latent voxels, in fp32 as diffusers multiplies them."""
    axes = torch.arange(frames) * torch.tensor(8 / FPS), torch.arange(rows) * 32.0, torch.arange(columns) * 32.0
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)


@pytest.mark.parametrize("dim", [32, 48, 2048, 4096])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 5), (13, 16, 24)])
def test_tables_are_diffusers(dim, shape):
    """Each table holds diffusers' values bit for bit, one of each neighbouring pair."""
    embedder = LTXVideoRotaryPosEmbed(dim)
    wanted = embedder(torch.zeros(1, 1, 1), *shape, rope_interpolation_scale=(8 / FPS, 32, 32))
    for got, pairs in zip(rope_tables(grid(*shape), dim), wanted, strict=True):
        torch.testing.assert_close(got.repeat_interleave(2, dim=-1), pairs[0], rtol=0, atol=0)


def test_tables_follow_explicit_coordinates():
    """Coordinates that are no grid, as of conditioning tokens, give diffusers' tables for `video_coords`."""
    coordinates = torch.rand(17, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([6.0, 700.0, 1200.0])
    wanted = LTXVideoRotaryPosEmbed(32)(torch.zeros(1, 1, 1), video_coords=coordinates.T[None])
    for got, pairs in zip(rope_tables(coordinates, 32), wanted, strict=True):
        torch.testing.assert_close(got.repeat_interleave(2, dim=-1), pairs[0], rtol=0, atol=0)
