"""The encoder of LTX-Video's VAE."""

from collections.abc import Iterable, Iterator

import numpy as np

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent
from vidrt.components.passing import Parts, through

# Latent frames encoded at once: fewer would read all weights for each of them.
_LATENT_FRAMES = 2


def chunk_frames(temporal_compression: int) -> int:
    """How many frames of a video are encoded at once behind the first part, which has one more."""
    return _LATENT_FRAMES * temporal_compression


class VaeEncoder(EngineComponent):
    """Turns frames into the moments of their latents."""

    def __call__(self, frames: FloatArray) -> FloatArray:
        """Frames (B, 3, F, H, W) in [-1, 1] to means, then logarithms of variances: (B, 2·C, F', H', W')."""
        moments: FloatArray = self.run(frames=frames)["moments"]
        return moments

    def stream(self, frames: Iterable[FloatArray], temporal_compression: int) -> Iterator[FloatArray]:
        """Encodes a video that comes in parts, and gives moments as they come: those of the whole video at once.

        What it holds does not grow with the video. An engine that was built without stages encodes it whole.

        Args:
            frames: parts (B, 3, any number, H, W) in [-1, 1] that are F frames together, F as in a call.
            temporal_compression: how many frames a latent frame stands for.

        Yields:
            The next moments (B, 2·C, some, H', W').
        """
        if not self.engine.stages:
            yield self(np.concatenate(list(frames), axis=2))
            return
        (stage,) = self.engine.stages
        size = chunk_frames(temporal_compression)
        yield from through(stage, Parts(first=size + 1, others=size), frames, {})
