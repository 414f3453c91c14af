"""A memory limit on the CPU where a version makes two passes: both count, and so does what lies between them."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tiny_upscaler
from vidrt import load_pipeline
from vidrt.errors import RequestError
from vidrt.planning.phases import phases

LARGE = {"prompt": "a fox", "height": 768, "width": 1152, "num_frames": 97, "seed": 7}
SMALL = {**LARGE, "height": 96, "width": 192, "num_frames": 9}


@pytest.fixture(scope="module")
def folder(checkpoints, bundles, tmp_path_factory):
    """The tiny bundle as one of two passes: with the upscaler between them."""
    root = tmp_path_factory.mktemp("two-passes")
    source = shutil.copytree(checkpoints("0.9.5"), root / "ltxv-0.9.8-2b-distilled")
    tiny_upscaler.save(source / tiny_upscaler.FILE)
    bundle = shutil.copytree(bundles("0.9.5"), root / "bundle")
    subprocess.run([sys.executable, "-m", "vidrt_export", source, "--out", bundle, "--quiet"], check=True)
    return bundle


def opened_on(folder, **options):
    return load_pipeline(folder, device="cpu", backend="onnxruntime", **options)


def test_the_second_pass_is_held_to_the_limit(folder, sentence):
    """A limit between the passes refuses the second, and names the single pass, which fits."""
    with opened_on(folder) as pipeline:
        engines = {name: part.engine.engine for name, part in pipeline.components.items()}
        found = {phase.name: phase.need for phase in phases(pipeline.sizes(**SMALL | {"num_frames": 97}), engines)}
        assert {"denoising, pass 1", "upscaling", "denoising, pass 2"} <= set(found)
        large = {phase.name: phase.need for phase in phases(pipeline.sizes(**LARGE), engines)}
    limit = (large["denoising, pass 1"].own + large["denoising, pass 2"].own) // 2
    with opened_on(folder, memory_limit=limit) as pipeline:
        with pytest.raises(RequestError, match="Denoising, pass 2 would take") as error:
            pipeline.check(**LARGE)
        told = sentence(error)
        frames = int(told.split("take at most ")[1].split()[0])
        pipeline.check(**{**LARGE, "num_frames": frames})


def test_two_passes_within_a_limit_are_those_without(folder):
    """Frames do not change where everything fits."""
    with opened_on(folder) as free, opened_on(folder, memory_limit="1GB") as limited:
        assert np.array_equal(free(**SMALL).frames, limited(**SMALL).frames)
