"""Philox 4x32-10, the counter-based random words of cuRAND (Salmon et al., Parallel random numbers, SC11)."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.uint64]
FourWords: TypeAlias = tuple[Words, Words, Words, Words]

_ROUNDS = 10
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def philox4x32(counter: FourWords, key: int) -> FourWords:
    """Turns counters into random words.

    Args:
        counter: four arrays that broadcast, of 32-bit numbers in 64 bits, the least significant first.
        key: 64 bits.

    Returns:
        Four arrays of 32-bit numbers in 64 bits.
    """
    first, second, third, fourth = counter
    keys = key & 0xFFFFFFFF, key >> 32
    for turn in range(_ROUNDS):
        left, right = (
            np.uint64((word + turn * step) & 0xFFFFFFFF) for word, step in zip(keys, _KEY_STEPS, strict=True)
        )
        one, two = _MULTIPLIERS[0] * first, _MULTIPLIERS[1] * third
        first, second = (two >> _HALF) ^ second ^ left, two & _LOW
        third, fourth = (one >> _HALF) ^ fourth ^ right, one & _LOW
    return first, second, third, fourth
