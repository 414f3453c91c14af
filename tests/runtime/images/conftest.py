"""Pictures of noise."""

import numpy as np
import pytest


@pytest.fixture
def noise():
    """Makes RGB (height, width, 3) that no filter leaves as it was."""

    def make(height, width, seed=0):
        return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)

    return make
