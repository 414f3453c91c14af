"""The normal numbers of torch's CUDA generator, without torch and without a GPU."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidrt.noise.gpus import Gpu
from vidrt.noise.philox import Words, philox4x32

# ATen/native/cuda/DistributionTemplates.h: the threads of a block, and the numbers that one step of a thread gives
_BLOCK = 256
_UNROLL = 4
# longer calls torch splits into several launches
_SIZE_LIMIT = (1 << 31) // 4
_SEEDS = 1 << 64
# threads computed at once: their words stay in the processor's cache
_CHUNK = 1 << 14
# curand_globals.h: the steps of the uniforms from 0 to 1 and from 0 to 2π, constants of float32 there
_TURN = float(np.float32(2.0**-32) * np.float32(6.2831855))


class TorchCudaGenerator:
    """Draws what `torch.Generator("cuda").manual_seed(seed)` gives to `torch.randn` on a GPU, in float32.

    The random words are the GPU's bit for bit. From words to normal numbers a GPU takes its hardware's sine and
    cosine, whose error is 2**-21 within ±π and more beyond (CUDA C++ Programming Guide); here they are exact. Times
    a radius of mostly 1 to 3 that is about 1e-6, and a few times as much for the largest values.

    Args:
        seed: 0 to 2**64 - 1.
        gpu: whose numbers; they are the same on all up to the size at which the smaller GPU is full.

    Raises:
        ValueError: The seed is out of range.
    """

    def __init__(self, seed: int, gpu: Gpu) -> None:
        if not 0 <= seed < _SEEDS:
            raise ValueError(f"a seed lies between 0 and 2**64 - 1, not {seed}")
        self._seed, self._gpu = int(seed), gpu
        self._step = 0  # torch's philox_offset_per_thread, in fours

    def normal(self, shape: Sequence[int]) -> NDArray[np.float32]:
        """Draws standard normal numbers.

        Args:
            shape: Of the result; `()` draws one value, a shape with a 0 draws none.

        Returns:
            float32 of that shape.

        Raises:
            ValueError: 2**29 values or more.
        """
        size = math.prod(shape)
        if size >= _SIZE_LIMIT:
            raise ValueError(f"a CUDA generator draws fewer than {_SIZE_LIMIT} values at once, not {size}")
        values = np.empty(size, np.float32)
        threads = self._threads(size)
        for start in range(0, size, threads * _UNROLL):
            self._fill(values[start : start + threads * _UNROLL], threads)
            self._step += 1
        return values.reshape(tuple(shape))

    def strided(self, shape: Sequence[int]) -> NDArray[np.float32]:
        """Draws as `normal` does: on a GPU numbers follow memory, whatever the order of a tensor's axes."""
        return self.normal(shape)

    def _threads(self, size: int) -> int:
        """The threads that torch launches for so many values: a whole number of blocks, as many as the GPU holds."""
        blocks = self._gpu.processors * (self._gpu.threads // _BLOCK)
        return max(1, min(blocks, -(-size // _BLOCK))) * _BLOCK

    def _fill(self, values: NDArray[np.float32], threads: int) -> None:
        """Writes one step of every thread: its four numbers lie as many values apart as there are threads."""
        low, high, top = (np.array([word], np.uint64) for word in (self._step & 0xFFFFFFFF, self._step >> 32, 0))
        for start in range(0, min(threads, len(values)), _CHUNK):
            thread = np.arange(start, min(start + _CHUNK, threads), dtype=np.uint64)
            words = philox4x32((low, high, thread, top), self._seed)
            numbers = (*_box_muller(words[0], words[1]), *_box_muller(words[2], words[3]))
            for row, drawn in enumerate(numbers):
                target = values[row * threads + start : row * threads + start + len(thread)]
                target[:] = drawn[: len(target)]


def _box_muller(radius_words: Words, angle_words: Words) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Turns words into normal numbers as curand_normal.h does: rounded to float32 where it is, exact between."""
    uniform = (_rounded(radius_words) * 2.0**-32 + 2.0**-33).astype(np.float32)
    angle = (_rounded(angle_words) * _TURN + _TURN / 2).astype(np.float32).astype(np.float64)
    logarithm = np.log(uniform.astype(np.float64)).astype(np.float32)
    radius = np.sqrt(-2 * logarithm)
    return radius * np.sin(angle).astype(np.float32), radius * np.cos(angle).astype(np.float32)


def _rounded(words: Words) -> NDArray[np.float64]:
    # the conversion to float32 comes first on the GPU, one fused multiply-add after it
    return words.astype(np.float32).astype(np.float64)
