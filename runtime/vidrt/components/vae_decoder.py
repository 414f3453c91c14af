"""The decoder of LTX-Video's VAE."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext

import numpy as np
from vidrt_engines.manifest import Engine
from vidrt_engines.names import Backend

from vidrt.arrays import FloatArray
from vidrt.components.base import EngineComponent
from vidrt.components.passing import Parts, ahead, through
from vidrt.sessions.component_engine import ComponentEngine

# The first stage takes the most while it works, half a gigabyte of widened weights, and passes on the least: 0.2 MB a
# frame of 256x384. In advance, its peak and that of the others do not add up; where it is done, its engine is closed.
AHEAD = 256 << 20
# What OpenVINO holds for stages is more than all of a short video takes, and slower by a third: at 256x384 2.4 GB for
# 73 frames of the 0.9.5 VAE, which at once take 2.6, as 49 take 2.1; of the 0.9.0 VAE both are the same at 80 frames.
_AT_ONCE = 8


def passes_by(engine: Engine, frames: int) -> bool:
    """Whether an engine decodes a video of so many latent frames stage by stage."""
    is_short = engine.backend is Backend.OPENVINO and frames <= _AT_ONCE
    return bool(engine.stages) and engine.backend.plays is Backend.ONNXRUNTIME and not is_short


class VaeDecoder(EngineComponent):
    """Turns latents into frames."""

    def __init__(
        self, engine: ComponentEngine, injected_noise: Sequence[int] = (), timestep: float | None = None
    ) -> None:
        super().__init__(engine)
        self._scales, self._timestep = tuple(injected_noise), timestep

    def noise_shapes(self, rows: int, columns: int) -> list[tuple[int, int]]:
        """The shapes of the noise maps that decoding latents of this size takes, in the order they are drawn."""
        return [(rows * scale, columns * scale) for scale in self._scales]

    @contextmanager
    def held_for(self, frames: int) -> Iterator[None]:
        """Keeps open what videos of so many latent frames, decoded one after the other, share: the engine, no stages.

        Stages are opened as a video comes to them and closed behind it: together they would take more memory.
        """
        with nullcontext() if passes_by(self.engine.engine, frames) else self.engine.held():
            yield

    @contextmanager
    def held_for_tiles(self, frames: Iterable[int]) -> Iterator[None]:
        """Keeps open all that `stream` runs for short videos such as tiles, of these numbers of latent frames."""
        ways = {passes_by(self.engine.engine, count) for count in frames}
        with ExitStack() as stack:
            for is_streamed in ways:
                for engine in self.engine.stages if is_streamed else (self.engine,):
                    stack.enter_context(engine.held())
            yield

    def stream(
        self, latents: FloatArray, timestep: float | None = None, noise: Sequence[FloatArray] | None = None
    ) -> Iterator[FloatArray]:
        """Decodes a video from its beginning to its end, and gives frames as they come.

        What it holds at once does not grow with the video, and the frames are those of the whole video decoded at
        once. An engine that was built without stages decodes it so, and OpenVINO a short one.

        Args:
            latents: as in a call.
            timestep: as in a call.
            noise: as in a call.

        Yields:
            The next frames (B, 3, some, 32·H, 32·W), about in [-1, 1].
        """
        if not passes_by(self.engine.engine, latents.shape[2]):
            yield self(latents, timestep, noise)
            return
        constants = self._constants(latents, timestep, noise)
        flow: Iterable[FloatArray] = [latents]
        for number, (engine, stage) in enumerate(zip(self.engine.stages, self.engine.engine.stages, strict=True)):
            parts = Parts(first=stage.first_frames, others=stage.first_frames, end=1)
            flow = through(engine, parts, flow, constants)
            if number == 0:
                flow = ahead(flow, AHEAD)
        yield from flow

    def __call__(
        self, latents: FloatArray, timestep: float | None = None, noise: Sequence[FloatArray] | None = None
    ) -> FloatArray:
        """Decodes.

        Args:
            latents: de-normalised, (B, C, F, H, W).
            timestep: for a decoder that is conditioned on one; None takes the model version's.
            noise: maps of `noise_shapes`; None injects none.

        Returns:
            Frames (B, 3, 8·(F - 1) + 1, 32·H, 32·W), about in [-1, 1].
        """
        frames: FloatArray = self.run(latents=latents, **self._constants(latents, timestep, noise))["frames"]
        return frames

    def _constants(
        self, latents: FloatArray, timestep: float | None, noise: Sequence[FloatArray] | None
    ) -> dict[str, FloatArray]:
        """What the decoder takes besides the latents, the same for all frames."""
        maps = self._maps(noise, latents.shape[3], latents.shape[4])
        if self._timestep is None:
            return maps
        value = self._timestep if timestep is None else timestep
        return {"timestep": np.full(len(latents), value, np.float32), **maps}

    def _maps(self, noise: Sequence[FloatArray] | None, rows: int, columns: int) -> dict[str, FloatArray]:
        if noise is None:
            noise = [np.zeros(shape, np.float32) for shape in self.noise_shapes(rows, columns)]
        return {f"noise_{i}": values for i, values in enumerate(noise)}
