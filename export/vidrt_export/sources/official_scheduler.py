"""The scheduler of an official file, from the configuration in its metadata.

Source: `RectifiedFlowScheduler` of `rf.py` in Lightricks' LTX-Video.
"""

import math
from collections.abc import Mapping

from vidrt_engines.schedule import Sampler
from vidrt_engines.settings import SchedulerSettings
from vidrt_engines.versions import LTX_SHIFT
from vidrt_reference.checkpoint.config import Config
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.ltx_video.original.config import METADATA

_TRAIN_TIMESTEPS = 1000
_LONGEST_SHIFT = 100.0
_SAMPLERS = {
    "Uniform": Sampler.LINSPACE,
    "LinearQuadratic": Sampler.LINEAR_QUADRATIC,
    "Constant": Sampler.LINSPACE,  # shifted by a number of its own
}


def official_scheduler(values: Mapping[str, object]) -> SchedulerSettings:
    """Reads a scheduler's configuration.

    Raises:
        CheckpointError: a sampler or a shift that is not implemented, or a value of the wrong type.
    """
    values = {key: value for key, value in values.items() if value is not None}
    config = Config(what="scheduler", values=values, where=METADATA)
    config.require("num_train_timesteps", _TRAIN_TIMESTEPS, default=_TRAIN_TIMESTEPS)
    sampler = config.word("sampler", "Uniform", allowed=tuple(_SAMPLERS))
    shifts = "shifting" in values
    if shifts:
        config.require("shifting", "SD3", default="SD3")
    terminal = config.number("target_shift_terminal", 1.0) if shifts else 1.0
    if "target_shift_terminal" in values and shifts and terminal >= 1:
        raise CheckpointError(f"The scheduler's target_shift_terminal should be below 1, not {terminal:g}.")
    return SchedulerSettings(
        sampler=_SAMPLERS[sampler],
        shift=LTX_SHIFT if shifts else None,
        static_shift=_constant(config) if sampler == "Constant" else 1.0,
        terminal=terminal if terminal < 1 else None,
    )


def _constant(config: Config) -> float:
    """The shift of all numbers of tokens, which the official code gives by its logarithm."""
    shift = config.number("shift", 0.0)
    if shift > _LONGEST_SHIFT or "shifting" in config.values:
        raise CheckpointError("The scheduler should be shifted once, by its shift or by its shifting, not by both.")
    return math.exp(shift)
