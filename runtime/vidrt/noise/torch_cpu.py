"""The normal numbers of torch's CPU generator, without torch."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

# ATen/native/cpu/DistributionTemplates.h: up to here one value after another in float64, from here in blocks of float32
_BLOCK = 16
_HALF = _BLOCK // 2
# values transformed at once: a multiple of the block that stays in the processor's cache
_CHUNK = 1 << 16
_SEED_BITS = 32
_SEEDS = 1 << 64
_TWO_PI = np.float32(2 * math.pi)


class TorchCpuGenerator:
    """Draws what `torch.Generator("cpu").manual_seed(seed)` gives to `torch.randn`.

    Calls with fewer than 16 values agree bit for bit. Longer ones agree within 1e-6 with torch on AVX2 and AVX-512;
    torch without vector instructions differs from both by up to 3e-6.

    Args:
        seed: 0 to 2**64 - 1. As in torch, only the low 32 bits choose the numbers.

    Raises:
        ValueError: The seed is out of range.
    """

    def __init__(self, seed: int) -> None:
        if not 0 <= seed < _SEEDS:
            raise ValueError(f"a seed lies between 0 and 2**64 - 1, not {seed}")
        # The old interface on purpose: its seeding and its stream are torch's, and numpy has promised to keep them.
        self._words = np.random.RandomState(int(seed) % (1 << _SEED_BITS))
        self._spare: float | None = None

    def normal(self, shape: Sequence[int]) -> NDArray[np.float32]:
        """Draws standard normal numbers.

        Args:
            shape: Of the result; `()` draws one value, a shape with a 0 draws none.

        Returns:
            float32 of that shape.
        """
        size = math.prod(shape)
        values = self._blocks(size) if size >= _BLOCK else self._singles(size)
        return values.reshape(tuple(shape))

    def strided(self, shape: Sequence[int]) -> NDArray[np.float32]:
        """Draws what torch fills a tensor with whose axes are in another order than its memory, such as a permuted one.

        Values come one after another in float64 however many they are, in the order of memory.

        Args:
            shape: of the result, its axes in the order of memory.

        Returns:
            float32 of that shape.
        """
        size = math.prod(shape)
        values = self._pairs(size) if size >= _BLOCK else self._singles(size)
        return values.reshape(tuple(shape))

    def _pairs(self, size: int) -> NDArray[np.float32]:
        """What as many calls of `_single` would give, together: within the last bit of float32."""
        values = np.empty(size, np.float32)
        first = int(self._spare is not None)
        if first:
            values[0] = self._single()
        for start, stop in _chunks(size - first):
            drawn = self._pair_chunk((stop - start + 1) // 2)
            values[first + start : first + stop] = drawn[: stop - start]
            if (stop - start) % 2:  # which only the last chunk is
                self._spare = float(drawn[-1])
        return values

    def _pair_chunk(self, count: int) -> NDArray[np.float64]:
        """So many pairs, (2 count,)."""
        words = self._draw(4 * count).reshape(count, 2, 2).astype(np.uint64)
        wide = (words[..., 0] << np.uint64(_SEED_BITS) | words[..., 1]) & np.uint64((1 << 53) - 1)
        turn, tail = np.moveaxis(wide * 2.0**-53, -1, 0)
        radius, angle = np.sqrt(-2.0 * np.log1p(-tail)), 2.0 * math.pi * turn
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1)

    def _singles(self, size: int) -> NDArray[np.float32]:
        return np.fromiter((self._single() for _ in range(size)), np.float32, size)

    def _single(self) -> float:
        # The second value of a pair waits for the next short call, past any long one between.
        if self._spare is not None:
            spare, self._spare = self._spare, None
            return spare
        turn, tail = self._uniform53(), self._uniform53()
        # `math`, not numpy: torch calls the same C library, and numpy's own kernels differ in the last bit
        radius, angle = math.sqrt(-2.0 * math.log1p(-tail)), 2.0 * math.pi * turn
        self._spare = radius * math.sin(angle)
        return radius * math.cos(angle)

    def _uniform53(self) -> float:
        high, low = self._draw(2).tolist()
        word = int(high) << 32 | int(low)
        return (word & ((1 << 53) - 1)) * 2.0**-53

    def _blocks(self, size: int) -> NDArray[np.float32]:
        values = np.empty(size, np.float32)
        for start, stop in _chunks(size):
            values[start:stop] = self._uniform24(stop - start)
            whole = start + (stop - start) // _BLOCK * _BLOCK
            _box_muller(values[start:whole])
        if size % _BLOCK:
            values[-_BLOCK:] = self._uniform24(_BLOCK)
            _box_muller(values[-_BLOCK:])
        return values

    def _uniform24(self, size: int) -> NDArray[np.float32]:
        return (self._draw(size) & 0xFFFFFF).astype(np.float32) * np.float32(2.0**-24)

    def _draw(self, size: int) -> NDArray[np.uint32]:
        # the full range is the generator's words as they come
        return self._words.randint(0, 1 << 32, size, np.uint32)


def _chunks(size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, size, _CHUNK):
        yield start, min(start + _CHUNK, size)


def _box_muller(uniforms: NDArray[np.float32]) -> None:
    """Turns uniforms (16 n,), a contiguous view, into normal numbers in place: 8 radii, then 8 angles a block."""
    blocks = uniforms.reshape(-1, 2, _HALF)
    radii = np.sqrt(-2 * np.log(1 - blocks[:, 0]))
    angles = _TWO_PI * blocks[:, 1]
    blocks[:, 0] = radii * np.cos(angles)
    blocks[:, 1] = radii * np.sin(angles)
