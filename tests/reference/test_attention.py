"""Attention over packed heads."""

import math

import pytest
import torch
from closeness import FP32, relative_l2
from vidrt_reference.attention import attend


@pytest.mark.parametrize("scale", [None, 1.0, 0.3])
@pytest.mark.parametrize("biased", [False, True])
def test_is_softmax_of_scores_over_each_head(scale, biased):
    """`attend` is the textbook formula, head by head, with the bias added to the scaled scores."""
    batch, rows, columns, heads, dim = 2, 5, 7, 3, 4
    query = torch.randn(batch, rows, heads * dim)
    key, value = torch.randn(2, batch, columns, heads * dim)
    bias = torch.randn(1, heads, rows, columns) if biased else None

    per_head = []
    for head in range(heads):
        part = slice(head * dim, (head + 1) * dim)
        scores = query[..., part] @ key[..., part].mT * (scale or 1 / math.sqrt(dim))
        scores = scores + bias[0, head] if biased else scores
        per_head.append(scores.softmax(-1) @ value[..., part])

    got = attend(query, key, value, heads=heads, bias=bias, scale=scale)
    assert relative_l2(got, torch.cat(per_head, dim=-1)) <= FP32
