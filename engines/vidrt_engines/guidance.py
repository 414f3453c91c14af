"""How the velocities of several evaluations become one, as data: by step, for each version of LTX-Video."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

_T = TypeVar("_T")


class StgMode(StrEnum):
    """What spatio-temporal guidance puts in the place of a block's work, so that the model is worse on purpose."""

    ATTENTION_VALUES = "attention_values"  # the values themselves, for the attention's result
    ATTENTION_SKIP = "attention_skip"  # what goes into the attention, for its result
    TRANSFORMER_BLOCK = "transformer_block"  # what goes into the block, for what comes out
    RESIDUAL = "residual"  # nothing: the official code accepts it, and it changes nothing


# The order in which the transformer's input `perturbation` has them.
PERTURBATIONS = (StgMode.ATTENTION_VALUES, StgMode.ATTENTION_SKIP, StgMode.TRANSFORMER_BLOCK)


@dataclass(frozen=True, kw_only=True)
class StepGuidance:
    """The guidance of one step.

    Attributes:
        scale: classifier-free guidance; 1 or less is none.
        stg_scale: spatio-temporal guidance; 0 is none.
        rescaling_scale: how far the result is brought back to the conditional velocity's deviation; 1 is not at all,
            and without spatio-temporal guidance it is not looked at.
        blocks: which are perturbed.
    """

    scale: float
    stg_scale: float
    rescaling_scale: float
    blocks: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """Guidance by step: of each list one entry, or one for each of `timesteps` (sigmas, falling).

    Attributes:
        scales, stg_scales, rescaling_scales, blocks: as in `StepGuidance`.
        timesteps: where the entries begin.
        cfg_star: the unconditional velocity is first scaled to be as near to the conditional one as it can.
        stg_mode: how blocks are perturbed.
    """

    scales: tuple[float, ...] = (1.0,)
    stg_scales: tuple[float, ...] = (0.0,)
    rescaling_scales: tuple[float, ...] = (1.0,)
    blocks: tuple[tuple[int, ...], ...] = ((),)
    timesteps: tuple[float, ...] = ()
    cfg_star: bool = False
    stg_mode: StgMode = StgMode.ATTENTION_VALUES

    def at(self, sigma: float) -> StepGuidance:
        """The guidance of a step: that of the first timestep at or below its sigma, else the last."""
        index = next((i for i, t in enumerate(self.timesteps) if t <= sigma), len(self.timesteps) - 1)
        return StepGuidance(
            scale=_entry(self.scales, index),
            stg_scale=_entry(self.stg_scales, index),
            rescaling_scale=_entry(self.rescaling_scales, index),
            blocks=_entry(self.blocks, index),
        )


def _entry(values: tuple[_T, ...], index: int) -> _T:
    """One entry stands for all timesteps."""
    return values[0] if len(values) == 1 else values[index]
