"""OpenVINO in bf16 on the embedded models, which are trained: each engine and whole runs against fp32."""

from pathlib import Path

import numpy as np
import pytest
import tiny_bundles
from PIL import Image
from vidrt.cpu import computes_bf16
from vidrt.pipelines.load import load_pipeline
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import Component, Precision
from vidrt_engines.places import find_bundle
from vidrt_engines.precisions import BOUNDS

pytestmark = [
    pytest.mark.slow,  # builds both embedded models anew
    pytest.mark.skipif(not computes_bf16(), reason="this CPU has no instructions for bf16"),
]
ROOT = Path(__file__).resolve().parents[2]
LEAST_PSNR = 30
DEFAULTS = ("height", "width", "num_frames", "fps", "num_inference_steps")
OPTIONS = {"ltx-video": {"prompt": "a green triangle moves up and to the left"}, "svd": {"motion_bucket_id": 200}}
# Noise in the place of latents is what the decoder of Stable Video Diffusion never saw: its frames are 53 dB from fp32.
BOUND, OF_NOISE = BOUNDS[Precision.BF16], {("svd", Component.VAE_DECODER): 5e-2}
SIZES = {"batch": 1, "text_tokens": 9, "tokens": 96, "timestep_tokens": 1, "latent_frames": 3, "frames": 9}


@pytest.fixture(scope="module")
def in_bf16(tmp_path_factory):
    """A function of an embedded model's name: its bundle in bf16."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "bundle"
            tiny_bundles.build(ROOT / "demo" / name, made[name], precision="bf16")
        return made[name]

    return make


def drawn(spec, component):
    """Inputs like those of a run."""
    rng = np.random.default_rng(4)
    edge = 128 if component == Component.VAE_ENCODER else 224 if spec.name == "pixel_values" else 8
    shape = [int(axis) if axis.isdigit() else SIZES.get(axis, edge) for axis in spec.axes]
    if spec.dtype == "int64":
        return rng.integers(3, 60, shape)
    if spec.name == "timestep":
        return np.full(shape, 600 if component == Component.TRANSFORMER else 0.05, np.float32)
    if spec.name == "perturbation":
        return np.zeros(shape, np.float32)
    if spec.name.startswith("rope_"):
        angles = np.random.default_rng(1).uniform(0, 9, shape)
        return (np.cos if spec.name.endswith("cos") else np.sin)(angles).astype(np.float32)
    return rng.standard_normal(shape, np.float32) * (0.5 if spec.name == "frames" else 1)


@pytest.mark.parametrize("name", OPTIONS)
def test_each_engine_is_near_fp32(in_bf16, name):
    """Relative L2 within bf16's own bound, computed in bf16 where that loses least."""
    with (
        load_pipeline(in_bf16(name), device="cpu", backend="openvino") as ours,
        load_pipeline(in_bf16(name), device="cpu", backend="onnxruntime") as theirs,
    ):
        for component in read_bundle(in_bf16(name)).engines:
            one, two = ours.components[component].engine, theirs.components[component].engine
            arrays = {spec.name: drawn(spec, component) for spec in one.engine.inputs}
            with one.held():
                assert one.provider == "OpenVINO CPU bf16"
                got = one.run(arrays)
            wanted = two.run(arrays)
            for output, values in wanted.items():
                error = np.linalg.norm(got[output] - values) / np.linalg.norm(values)
                assert 1e-5 < error <= OF_NOISE.get((name, component), BOUND), component


@pytest.mark.parametrize("name", OPTIONS)
def test_frames_are_near_those_of_fp32(in_bf16, name):
    """Whole runs of the embedded bundle's size, which `auto` gives to OpenVINO: 30 dB and more."""
    defaults = read_bundle(find_bundle(f"demo:{name}")).settings.defaults
    options = {**OPTIONS[name], "seed": 1} | {field: getattr(defaults, field) for field in DEFAULTS}
    if name == "svd":
        options["image"] = Image.open(ROOT / "docs/images/red-circle.png")
    with (
        load_pipeline(in_bf16(name), device="cpu") as ours,
        load_pipeline(in_bf16(name), device="cpu", backend="onnxruntime") as theirs,
    ):
        assert ours.device == "cpu (openvino)"
        got, wanted = ours(**options).frames, theirs(**options).frames
    psnr = 10 * np.log10(255**2 / np.square(got.astype(float) - wanted).mean())
    assert psnr >= LEAST_PSNR
    assert got.std() > 10
