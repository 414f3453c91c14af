"""T5's relative positions: which bucket of the attention bias a distance between two tokens falls in."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vidrt_reference.shapes import positions


class RelativePositions:
    """Which bucket of the attention bias the distance between two tokens falls in, for any number of tokens.

    The buckets are a table over distances, made once: their edges come from a logarithm, which an engine may round
    to the other side.
    """

    def __init__(self, *, buckets: int, max_distance: int) -> None:
        one_way = buckets // 2
        self.max_distance = max_distance
        back = [_bucket(distance, one_way, max_distance) for distance in range(max_distance, -1, -1)]
        ahead = [one_way + _bucket(distance, one_way, max_distance) for distance in range(1, max_distance + 1)]
        self.table = (*back, *ahead)  # from -max_distance to max_distance

    def __call__(self, tokens: Tensor) -> Tensor:
        """For tokens (B, L, D) return bucket numbers (L, L), of each key (columns) as seen from each query (rows)."""
        places = positions(tokens, 1)
        distance = (places - places.unsqueeze(1)).clamp(-self.max_distance, self.max_distance)
        return torch.tensor(self.table, device=tokens.device)[distance + self.max_distance]


def _bucket(distance: int, buckets: int, max_distance: int) -> int:
    """Half of the buckets hold one distance each; the others widen logarithmically up to `max_distance`."""
    exact = buckets // 2
    if distance < exact:
        return distance
    # in fp32, as the weights were trained with
    ratio = torch.log(torch.tensor(distance, dtype=torch.float32, device="cpu") / exact) / math.log(
        max_distance / exact
    )
    return min(exact + int(ratio * (buckets - exact)), buckets - 1)
