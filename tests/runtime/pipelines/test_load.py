"""Opening a bundle: what is wrong with it is told before anything runs."""

import json
from pathlib import Path

import pytest
from vidrt.devices import Device
from vidrt.errors import DeviceError
from vidrt.pipelines.load import load_pipeline
from vidrt_engines.errors import BundleError
from vidrt_engines.names import COMPONENTS, Component, Family
from vidrt_engines.places import DEFAULT_BUNDLE


@pytest.fixture
def edited(demo_copy):
    """Lets a function alter the manifest of a copy of the embedded bundle."""

    def edit(change):
        path = demo_copy / "bundle.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")
        return demo_copy

    return edit


def test_the_embedded_bundle_opens(demo):
    """The demo bundle opens by its name, on the device that was asked for, and says what plays it."""
    assert set(demo.components) == set(COMPONENTS[Family.LTX_VIDEO]) - {Component.LATENT_UPSAMPLER}
    assert demo.device == "cpu (onnxruntime)"
    assert all(component.engine.device == Device(kind="cpu") for component in demo.components.values())


def test_a_bundle_opens_by_its_folder(demo_copy):
    """A path and its text open the same bundle."""
    for name in (demo_copy, str(demo_copy)):
        with load_pipeline(name, device="cpu", backend="onnxruntime") as pipeline:
            assert pipeline.bundle.model_version == "0.9.5"


def test_an_unknown_demo_lists_those_that_there_are(sentence):
    """A demo that does not exist is refused with the names of those that do."""
    with pytest.raises(BundleError) as error:
        load_pipeline("demo:cog")
    assert sentence(error) == f"There is no embedded bundle demo:cog; there is {DEFAULT_BUNDLE}, demo:svd."


@pytest.mark.parametrize("component", ["text_encoder", "transformer", "vae_decoder"])
def test_an_unfinished_bundle_names_what_is_missing(edited, component, sentence):
    """A bundle that lacks a component names it and the command that finishes the build."""
    folder = edited(lambda content: content["engines"].pop(component))
    with pytest.raises(BundleError) as error:
        load_pipeline(folder)
    assert sentence(error) == f"{folder} has no {component} yet; run build-engines with --out {folder} to finish it."


def test_a_bundle_may_lack_the_encoder(edited, small):
    """Text to video needs no VAE encoder, so that a bundle without one plays."""
    with load_pipeline(edited(lambda content: content["engines"].pop("vae_encoder")), device="cpu") as pipeline:
        assert "vae_encoder" not in pipeline.components
        assert pipeline(**small).frames.shape == (9, 64, 64, 3)


def test_a_bundle_without_a_tokenizer_is_refused(edited, sentence):
    """A bundle without a tokenizer cannot encode a prompt."""
    with pytest.raises(BundleError, match="has no tokenizer; build the bundle again") as error:
        load_pipeline(edited(lambda content: content.pop("tokenizer")))
    sentence(error)


def test_a_version_of_the_future_says_so(edited, sentence):
    """A bundle of a model version that is not known is not run as another one."""
    with pytest.raises(BundleError) as error:
        load_pipeline(edited(lambda content: content.update(model_version="1.0")))
    assert "LTX-Video 1.0, which this vidrt does not know; upgrade with pip install -U vidrt." in sentence(error)


@pytest.mark.parametrize("name", ["latents_mean", "latents_std"])
def test_latent_statistics_for_other_channels_are_refused(edited, name, sentence):
    """Means or deviations for more or fewer channels than the latents have are a damaged manifest."""
    with pytest.raises(BundleError) as error:
        load_pipeline(edited(lambda content: content["settings"][name].pop()))
    assert "should have latent statistics for 48 channels; build the bundle again" in sentence(error)


@pytest.mark.parametrize("name", ["TensorRT", "ONNXRUNTIME", ""])
def test_an_unknown_backend_lists_the_known(name, sentence):
    """A backend that is not known is refused with those that are."""
    with pytest.raises(DeviceError) as error:
        load_pipeline(DEFAULT_BUNDLE, backend=name)
    assert (
        sentence(error)
        == f"The backend should be one of auto, onnxruntime, tensorrt, tensorrt-rtx, openvino, not '{name}'."
    )


def test_an_unknown_device_is_refused():
    """A device is read when the bundle is opened, not at the first run."""
    with pytest.raises(DeviceError, match="should be auto, cpu, cuda or cuda:N, not 'gpu'"):
        load_pipeline(DEFAULT_BUNDLE, device="gpu")


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux, which counts what a process reads")
def test_weights_are_mapped_and_not_read(demo_copy, small):
    """Neither loading nor the first step reads or hashes a file of weights: they are mapped, gigabytes or not."""
    count = Path("/proc/self/io")

    def read():
        return int(count.read_text(encoding="ascii").split()[1])

    with load_pipeline(DEFAULT_BUNDLE, device="cpu") as pipeline:
        pipeline(**small)  # brings the modules that a step needs
    sizes = [path.stat().st_size for path in demo_copy.rglob("*.weights")]
    before = read()
    with load_pipeline(demo_copy, device="cpu") as pipeline:
        next(pipeline.denoise(**small))
    assert 0 < 2 * (read() - before) < min(sizes)
