"""What is read of scheduler_config.json."""

import diffusers
import pytest
import tiny_ltx
from vidrt_engines.schedule import Shift
from vidrt_engines.settings import SchedulerSettings
from vidrt_engines.versions import LTX_SHIFT
from vidrt_export.sources.scheduler import scheduler_settings
from vidrt_reference.checkpoint.errors import CheckpointError

CLASS = {"_class_name": "FlowMatchEulerDiscreteScheduler"}


def saved(**changes):
    """A configuration as diffusers itself writes it."""
    return {**CLASS, **diffusers.FlowMatchEulerDiscreteScheduler(**changes).config}


def test_the_shifted_form_is_read():
    """0.9.0's and 0.9.1's scheduler gives the official shift and end."""
    assert scheduler_settings(saved(**tiny_ltx.SCHEDULER["0.9.0"])) == SchedulerSettings(shift=LTX_SHIFT, terminal=0.1)


def test_the_plain_form_is_read():
    """0.9.5's scheduler shifts nothing, though its configuration has numbers for a shift."""
    assert scheduler_settings(saved()) == SchedulerSettings()


def test_defaults_are_diffusers():
    """What the file leaves out has diffusers' default."""
    assert scheduler_settings(CLASS) == scheduler_settings(saved())
    shifted = {"use_dynamic_shifting": True}
    assert scheduler_settings({**CLASS, **shifted}) == scheduler_settings(saved(**shifted))


def test_every_value_is_read():
    """No value that the runtime needs is left at a default."""
    values = {
        "base_shift": 0.25, "max_shift": 3, "base_image_seq_len": 512, "max_image_seq_len": 8192,
        "shift": 2.5, "shift_terminal": 0.2, "stochastic_sampling": True, "use_dynamic_shifting": True,
    }  # fmt: skip
    wanted = Shift(base=0.25, maximum=3.0, base_tokens=512, max_tokens=8192)
    assert scheduler_settings({**CLASS, **values}) == SchedulerSettings(
        shift=wanted, static_shift=2.5, terminal=0.2, stochastic=True
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"_class_name": "EulerDiscreteScheduler"}, "should be FlowMatchEulerDiscreteScheduler, not 'EulerDiscrete"),
        ({"_class_name": None}, "not None"),
        ({"use_karras_sigmas": True}, "sets use_karras_sigmas"),
        ({"use_exponential_sigmas": True}, "sets use_exponential_sigmas"),
        ({"use_beta_sigmas": True}, "sets use_beta_sigmas"),
        ({"invert_sigmas": True}, "sets invert_sigmas"),
        ({"time_shift_type": "linear"}, "time_shift_type 'linear'; only 'exponential'"),
        ({"num_train_timesteps": 500}, "should have num_train_timesteps 1000"),
        ({"shift": "1"}, "shift in scheduler_config.json should be a number, not '1'"),
        ({"shift": None}, "should be a number, not None"),
        ({"shift": True}, "should be a number, not True"),
        ({"shift": float("nan")}, "should be a number, not nan"),
        ({"shift_terminal": "0.1"}, "shift_terminal in scheduler_config.json should be a number"),
        ({"use_dynamic_shifting": True, "base_shift": [1]}, "base_shift in scheduler_config.json"),
        ({"use_dynamic_shifting": True, "max_image_seq_len": float("inf")}, "max_image_seq_len in"),
    ],
)
def test_what_cannot_be_followed_is_refused(change, told):
    """Another class, an option that would change the sigmas and a value of the wrong kind are refused."""
    with pytest.raises(CheckpointError, match=told) as error:
        scheduler_settings({**CLASS, **change})
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
