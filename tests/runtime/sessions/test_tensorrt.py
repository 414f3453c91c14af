"""Plans played by the sessions for TensorRT, over doubles of CUDA and of TensorRT that compute with onnxruntime."""

import numpy as np
import pytest
from double_bundles import with_plans
from vidrt.pipelines.load import load_pipeline
from vidrt_engines.names import Backend
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle

BACKENDS = (Backend.TENSORRT, Backend.TENSORRT_RTX)


@pytest.fixture
def planned(tmp_path):
    """Makes a copy of a bundle, the embedded one unless told otherwise, with plans beside its graphs."""

    def make(backend=Backend.TENSORRT_RTX, source=None, **options):
        return with_plans(source or find_bundle(DEFAULT_BUNDLE), tmp_path / "planned", backend, **options)

    return make


def played(folder, backend, options, **places):
    with load_pipeline(folder, device="cuda", backend=backend, **places) as pipeline:
        return pipeline(**options).frames


def wanted(folder, options):
    with load_pipeline(folder, device="cpu") as pipeline:
        return pipeline(**options).frames


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("version", ["0.9.5", "0.9.6-distilled"])
def test_frames_are_those_of_onnxruntime(planned, gpu_machine, small, backend, version):
    """A run through plans, its formulas on the device, gives the frames of the same graphs on the CPU, to the bit."""
    folder, options = planned(backend), {**small, "ltxv_version": version}
    got = played(folder, backend, options)
    assert np.array_equal(got, wanted(folder, options))
    assert got.std() > 5
    assert gpu_machine.cuda.calls["combine"] > 0


@pytest.mark.parametrize("form", ["0.9.0", "0.9.1"])
@pytest.mark.usefixtures("gpu_machine")
def test_every_form_of_the_vae_is_played(planned, small, bundles, form):
    """Decoders without a timestep, and with noise maps, are given theirs."""
    folder = planned(source=bundles(form))
    assert np.array_equal(played(folder, "tensorrt-rtx", small), wanted(folder, small))
