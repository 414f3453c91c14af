"""The schedulers of official files: sigmas are those of the official scheduler with the same configuration."""

import re

import ltx_original
import numpy as np
import pytest
from vidrt.pipelines.ltx_video.conventions import conventions
from vidrt.schedulers.flow_match_euler import schedule_sigmas
from vidrt_engines.manifest import decode, encode
from vidrt_engines.names import Compat
from vidrt_engines.settings import LtxSettings, SchedulerSettings
from vidrt_engines.versions import version_named
from vidrt_export.sources.official_scheduler import official_scheduler
from vidrt_reference.checkpoint.errors import CheckpointError

SCHEDULES = ltx_original.golden()["schedules"]


def settings(scheduler):
    return LtxSettings(
        pipeline_class="LTXPipeline", scheduler=scheduler, latent_channels=8, spatial_compression=32,
        temporal_compression=8, rope_width=128, latents_mean=(0.0,) * 8, latents_std=(1.0,) * 8,
    )  # fmt: skip


@pytest.mark.parametrize("golden", SCHEDULES, ids=lambda one: f"{one['config']} {one['tokens']}")
@pytest.mark.parametrize("version", ["0.9.0", "0.9.5"])
def test_sigmas_are_the_official(golden, version):
    """The checkpoint's own configuration wins over the version's, through the bundle and the runtime."""
    own = official_scheduler(golden["config"])
    own = decode(SchedulerSettings, encode(own), "scheduler")
    schedule = conventions(Compat.OFFICIAL, settings(own), version_named(version)).schedule
    sigmas = schedule_sigmas(schedule, golden["steps"], golden["tokens"])[: golden["steps"]]
    np.testing.assert_allclose(sigmas, golden["sigmas"], rtol=2e-6, atol=0)


def test_lists_stay_verbatim():
    """A distilled model is trained on its list, whatever its file's scheduler says."""
    version = version_named("0.9.8-2b-distilled")
    for golden in SCHEDULES:
        own = settings(official_scheduler(golden["config"]))
        assert conventions(Compat.OFFICIAL, own, version).schedule == version.schedule


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"sampler": "Cosine"}, "'Uniform' or 'LinearQuadratic' or 'Constant' at 'sampler', but has 'Cosine'"),
        ({"shifting": "SimpleDiffusion"}, "'SD3' at 'shifting', but has 'SimpleDiffusion'"),
        ({"num_train_timesteps": 100}, "1000 at 'num_train_timesteps'"),
        ({"shifting": "SD3", "target_shift_terminal": 1.0}, "target_shift_terminal should be below 1"),
        ({"shifting": "SD3", "target_shift_terminal": "0.1"}, "a positive number at 'target_shift_terminal'"),
        ({"sampler": "Constant"}, "a positive number at 'shift'"),
        ({"sampler": "Constant", "shift": 1.0, "shifting": "SD3"}, "by its shift or by its shifting, not by both"),
    ],
)
def test_what_is_not_implemented_is_refused(config, told):
    """Other forms give other sigmas."""
    with pytest.raises(CheckpointError, match=re.escape(told)):
        official_scheduler(config)
