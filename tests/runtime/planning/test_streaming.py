"""What a stream takes: by the length of the video no more than what waits, and that has an end."""

import pytest
from vidrt.components.vae_decoder import AHEAD
from vidrt.planning.engines import LatentSize
from vidrt.planning.streaming import streamed_bytes
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import Component


@pytest.fixture
def streamed(bundles):
    """A function of latent frames, rows and columns: what the decoder takes."""
    (engine, *_) = read_bundle(bundles("0.9.5")).engines["vae_decoder"]

    def taken(*shape, batch=1):
        return streamed_bytes(Component.VAE_DECODER, engine, LatentSize.of(shape, batch=batch))

    return taken


def test_longer_videos_take_as_much_or_more_and_no_more_in_the_end(streamed):
    """The first stage works in advance; once it has gathered as much as it may, length is no matter."""
    lengths = [streamed(frames, 8, 12) for frames in (1, 2, 4, 7, 13, 25, 100, 1000)]
    assert lengths == sorted(lengths)
    endless = [streamed(10**power, 8, 12) for power in (6, 7)]
    assert endless[0] == endless[1]
    assert AHEAD * 0.9 < endless[0] - lengths[4] < AHEAD * 1.1


def test_larger_videos_and_more_at_once_take_more(streamed):
    """By rows and columns, and by videos in one call."""
    assert streamed(13, 8, 12) < streamed(13, 8, 24) < streamed(13, 16, 24)
    assert streamed(13, 8, 12) < streamed(13, 8, 12, batch=2)
