"""How the frames around those at hand come to a convolution in time: of a whole clip, or of a stream that passes by.

In a stream each layer keeps the last frames that it got, and a layer that looks ahead runs that many frames late. Only
where the stream begins and where it ends are edge frames repeated, as they are in a whole clip: both give the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from vidrt_reference import passing
from vidrt_reference.precision import narrowed, widened

if TYPE_CHECKING:
    from collections.abc import Sequence


class Time(Protocol):
    """What layers ask of the frames around those at hand; all tensors are (B, C, F, H, W)."""

    def extended(self, x: Tensor, front: int, back: int, keep: int) -> Tensor:
        """Return x with the frames around it, for a convolution that begins anew `keep` frames before its end."""
        ...

    def delayed(self, x: Tensor, by: int, like: Tensor) -> Tensor:
        """Return the frames of x that belong to those of `like`, which layers in between have let go so much later."""
        ...

    def without_first(self, x: Tensor, count: int) -> Tensor:
        """Return x without its first frames where the video begins."""
        ...

    def with_first(self, x: Tensor, count: int) -> Tensor:
        """Return x with its first frame repeated in front where the video begins."""
        ...


class Clip:
    """A whole video at once."""

    def extended(self, x: Tensor, front: int, back: int, keep: int) -> Tensor:  # noqa: ARG002 - nothing follows
        """See `Time.extended`."""
        return torch.cat([x[:, :, :1]] * front + [x] + [x[:, :, -1:]] * back, dim=2)

    def delayed(self, x: Tensor, by: int, like: Tensor) -> Tensor:  # noqa: ARG002 - nothing is late
        """See `Time.delayed`."""
        return x

    def without_first(self, x: Tensor, count: int) -> Tensor:
        """See `Time.without_first`."""
        return x[:, :, count:]

    def with_first(self, x: Tensor, count: int) -> Tensor:
        """See `Time.with_first`."""
        return torch.cat([x[:, :, :1]] * count + [x], dim=2)


CLIP = Clip()


class Stream:
    """A part of a video, between what was before and what will come.

    Args:
        state: what each layer kept, in the order in which they run; tensors of no frames where the video begins. In
            fp32, whatever the layers compute in.
        last: (1,) of int64: 1 where the video ends with this part, else 0.

    Attributes:
        kept: what each layer keeps for the next part, in the same order.
    """

    def __init__(self, state: Sequence[Tensor], last: Tensor) -> None:
        self._state, self._last = state, last
        self.kept: list[Tensor] = []

    def extended(self, x: Tensor, front: int, back: int, keep: int) -> Tensor:
        """See `Time.extended`."""
        window = passing.extended(narrowed(self._carried(x, keep), x.dtype), x, self._last, front, back)
        self.kept.append(widened(window[:, :, -keep:]))
        return window

    def delayed(self, x: Tensor, by: int, like: Tensor) -> Tensor:
        """See `Time.delayed`."""
        if not by:
            return x
        waiting = passing.extended(narrowed(self._carried(x, by), x.dtype), x, self._last, 0, 0)
        self.kept.append(widened(waiting[:, :, -by:]))
        return passing.as_long(waiting, like)

    def without_first(self, x: Tensor, count: int) -> Tensor:
        """See `Time.without_first`."""
        return passing.without_first(x, self._state[0], count)

    def with_first(self, x: Tensor, count: int) -> Tensor:
        """See `Time.with_first`."""
        return passing.with_first(x, self._state[0], count)

    def _carried(self, x: Tensor, frames: int) -> Tensor:  # noqa: ARG002 - a probe has to make it
        return self._state[len(self.kept)]


class Probe(Stream):
    """A stream in its middle, for tensors without memory: it finds what layers keep and how late they run.

    Attributes:
        late: by how many frames, counted where each layer is.
    """

    def __init__(self) -> None:
        super().__init__((torch.empty(1, 1, 1, 1, 1, device="meta"),), torch.empty(1, dtype=torch.int64, device="meta"))
        self.late = 0

    def extended(self, x: Tensor, front: int, back: int, keep: int) -> Tensor:
        """See `Time.extended`."""
        self.late += back
        return super().extended(x, front, back, keep)

    def _carried(self, x: Tensor, frames: int) -> Tensor:
        return x.new_empty((*x.shape[:2], frames, *x.shape[3:]))
