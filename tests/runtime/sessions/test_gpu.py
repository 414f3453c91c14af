"""Plans that are really built and really played; needs a GPU, and TensorRT of either flavour."""

import subprocess
import sys

import numpy as np
import pytest
from vidrt.cuda.driver import DriverCuda
from vidrt.devices import Device
from vidrt.pipelines.load import load_pipeline
from vidrt.readiness import obstacle
from vidrt_engines.names import Backend

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1800)]
SIZES = ("--resolution", "32x32:64x64:96x96", "--frames", "1:9:17")
BACKENDS = (Backend.TENSORRT, Backend.TENSORRT_RTX)
# fp32 on a GPU multiplies in TF32
LEAST_PSNR = 35.0


@pytest.fixture(scope="module")
def built(checkpoints, tmp_path_factory):
    """Makes a tiny bundle with plans of a backend and the graphs, or skips where the backend cannot be played."""
    folder = tmp_path_factory.mktemp("built")

    def build(backend, *options):
        if reason := obstacle(backend, Device(kind="cuda")):
            pytest.skip(reason)
        bundle = folder / "-".join((backend, *options))
        if not bundle.exists():
            command = [sys.executable, "-m", "vidrt_export", checkpoints("0.9.1"), "--out", bundle, *SIZES, *options]
            backends = ["--backend", backend, "--backend", "onnxruntime", "--precision", "fp32"]
            subprocess.run([*map(str, command), *backends], check=True)
        return bundle

    return build


@pytest.fixture
def options(small):
    return {**small, "prompt": "a cat runs over the sea", "num_inference_steps": 6}


def played(bundle, backend, options, **places):
    device = "cpu" if backend is Backend.ONNXRUNTIME else "cuda"
    with load_pipeline(bundle, device=device, backend=backend, **places) as pipeline:
        return pipeline(**options).frames


def psnr(got, wanted):
    error = np.square(got.astype(np.float64) - wanted).mean()
    return np.inf if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("backend", BACKENDS)
def test_plans_show_what_graphs_show(built, options, backend):
    """A whole run on the GPU looks as it does on the CPU, and twice the same."""
    bundle = built(backend)
    got = played(bundle, backend, options)
    assert psnr(got, played(bundle, Backend.ONNXRUNTIME, options)) >= LEAST_PSNR
    assert np.array_equal(played(bundle, backend, options), got)


@pytest.mark.parametrize("backend", BACKENDS)
def test_previews_change_nothing(built, options, backend):
    """Engines that share their workspace in the middle of a loop disturb nobody, recorded or not."""
    with load_pipeline(built(backend), device="cuda", backend=backend) as pipeline:
        expected = pipeline(**options).frames
        previews = [pipeline.decode(step)[0].frames for step in pipeline.denoise(**options)]
    assert np.array_equal(previews[-1], expected)


@pytest.mark.parametrize("option", ["--stream-weights", "--strip-weights"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_may_lie_elsewhere(built, options, backend, option):
    """Weights that are streamed from the host, or put in when a plan is opened, give the same picture."""
    bundle = built(backend, option)
    limit = {"memory_limit": "1GiB"} if option == "--stream-weights" else {}
    got = played(bundle, backend, options, **limit)
    assert psnr(got, played(bundle, Backend.ONNXRUNTIME, options)) >= LEAST_PSNR


@pytest.mark.parametrize("backend", BACKENDS)
def test_memory_comes_back(built, options, backend):
    """Runs one after the other leave the GPU as they found it."""
    bundle, cuda = built(backend), None
    free = []
    for _ in range(4):
        played(bundle, backend, options)
        cuda = cuda or DriverCuda(0)
        free.append(cuda.memory()[0])
    assert free[1] - free[-1] < 16 << 20
