"""Clips to write, and a disk that is full."""

import contextlib

import numpy as np
import pytest


@pytest.fixture(scope="session")
def smooth_clip():
    """Colours that drift without edges: uint8 (12, 64, 96, 3)."""
    time, row, column = np.mgrid[0:12, 0:64, 0:96].astype(np.float32)
    waves = [column / 30 + time / 3, row / 25 - time / 4, (row + column) / 40 + time / 5]
    return np.stack([128 + 90 * np.sin(wave) for wave in waves], axis=-1).round().astype(np.uint8)


@pytest.fixture(scope="session")
def flat_clip():
    """A third each of red, green and blue: uint8 (3, 48, 96, 3)."""
    clip = np.zeros((3, 48, 96, 3), np.uint8)
    for channel in range(3):
        clip[:, :, 32 * channel : 32 * channel + 32, channel] = 200
    return clip


@pytest.fixture
def noise_clip():
    """What no format makes small: uint8 (4, 64, 64, 3)."""
    return np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)


@pytest.fixture
def full_disk():
    """A context in which no file may grow beyond 2,000 bytes."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def limited():
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture(scope="session")
def psnr():
    """Peak signal-to-noise ratio of two uint8 arrays, in dB."""

    def measure(left, right):
        error = np.mean((left.astype(np.float64) - right) ** 2)
        return 10 * np.log10(255**2 / max(error, 1e-9))

    return measure
