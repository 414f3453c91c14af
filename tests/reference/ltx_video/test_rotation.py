"""Rotations against diffusers', by neighbours and by halves of a head."""

import pytest
import torch
from closeness import FP32, relative_l2
from diffusers.models.transformers.transformer_ltx import apply_rotary_emb
from vidrt_reference.ltx_video.rope import rope_tables
from vidrt_reference.ltx_video.rotation import Halves, Neighbours, halves_order

WIDTH, HEADS = 48, 4
TOKENS = 24


@pytest.fixture
def case():
    """Tables, and queries of two videos."""
    generator = torch.Generator().manual_seed(0)
    coordinates = torch.rand(TOKENS, 3, generator=generator) * torch.tensor([6.0, 700.0, 1200.0])
    return rope_tables(coordinates, WIDTH), torch.randn(2, TOKENS, WIDTH, generator=generator)


def rotated_by_diffusers(x, tables):
    return apply_rotary_emb(x, tuple(table.repeat_interleave(2, -1) for table in tables))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_neighbours_are_diffusers(dtype, case):
    """Rotation turns neighbouring pairs of channels as diffusers' does, computed in fp32 whatever the dtype."""
    tables, x = case
    got = Neighbours(*tables, HEADS)(x.to(dtype))
    assert got.dtype == dtype
    assert relative_l2(got, rotated_by_diffusers(x.to(dtype), tables)) <= FP32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_halves_are_diffusers_in_another_order(dtype, case):
    """With channels put in order before, what comes out is diffusers' result in that order."""
    tables, x = case
    order = halves_order(WIDTH, HEADS)
    got = Halves(*tables, HEADS)(x.to(dtype)[..., order])
    assert got.dtype == dtype
    assert relative_l2(got, rotated_by_diffusers(x.to(dtype), tables)[..., order]) <= FP32


def test_the_order_stays_within_each_head():
    """First the even channels of a head, then its odd ones."""
    assert halves_order(12, 2) == [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]
