"""The scheduler of a checkpoint, from diffusers' scheduler_config.json."""

import math
from collections.abc import Mapping

from vidrt_engines.schedule import Shift
from vidrt_engines.settings import SchedulerSettings
from vidrt_reference.checkpoint.errors import CheckpointError

CLASS = "FlowMatchEulerDiscreteScheduler"
# Options of the class that no LTX-Video checkpoint uses; each would change the sigmas.
_OTHER_FORMS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "invert_sigmas")
_TRAIN_TIMESTEPS = 1000


def scheduler_settings(config: Mapping[str, object]) -> SchedulerSettings:
    """Reads what LTX-Video uses of a scheduler's configuration.

    Raises:
        CheckpointError: another class, an option that is not supported, or a value that is no number.
    """
    _refuse_others(config)
    dynamic = _flag(config, "use_dynamic_shifting")
    terminal = config.get("shift_terminal")
    return SchedulerSettings(
        shift=_shift(config) if dynamic else None,
        static_shift=_number(config, "shift", 1.0),
        terminal=None if terminal is None else _number(config, "shift_terminal", 0.0) or None,
        stochastic=_flag(config, "stochastic_sampling"),
    )


def _flag(config: Mapping[str, object], key: str) -> bool:
    value = config.get(key, False)
    if not isinstance(value, bool):
        raise CheckpointError(f"{key} in scheduler_config.json should be true or false, not {value!r}.")
    return value


def _shift(config: Mapping[str, object]) -> Shift:
    shift = Shift(
        base=_number(config, "base_shift", 0.5),
        maximum=_number(config, "max_shift", 1.15),
        base_tokens=int(_number(config, "base_image_seq_len", 256)),
        max_tokens=int(_number(config, "max_image_seq_len", 4096)),
    )
    if shift.base_tokens >= shift.max_tokens:
        raise CheckpointError("base_image_seq_len in scheduler_config.json should be below max_image_seq_len.")
    return shift


def _refuse_others(config: Mapping[str, object]) -> None:
    if config.get("_class_name") != CLASS:
        raise CheckpointError(f"The scheduler should be {CLASS}, not {config.get('_class_name')!r}.")
    if wrong := [option for option in _OTHER_FORMS if config.get(option)]:
        raise CheckpointError(
            f"scheduler_config.json sets {wrong[0]}, which no LTX-Video checkpoint does and vidrt cannot follow."
        )
    if config.get("time_shift_type", "exponential") != "exponential":
        raise CheckpointError(
            f"scheduler_config.json has time_shift_type {config['time_shift_type']!r}; only 'exponential' is known."
        )
    if _number(config, "num_train_timesteps", _TRAIN_TIMESTEPS) != _TRAIN_TIMESTEPS:
        raise CheckpointError(f"scheduler_config.json should have num_train_timesteps {_TRAIN_TIMESTEPS}.")


def _number(config: Mapping[str, object], key: str, default: float) -> float:
    value = config.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise CheckpointError(f"{key} in scheduler_config.json should be a number, not {value!r}.")
    return float(value)
