"""A bundle of a few bytes: the manifest is true, the files are not engines."""

import hashlib

import pytest
from vidrt_engines.manifest import FORMAT, Bundle, BundleFile, Engine, write_bundle
from vidrt_engines.names import Backend, Component, Family, Precision
from vidrt_engines.schedule import Shift
from vidrt_engines.settings import Defaults, LtxSettings, SchedulerSettings
from vidrt_engines.tensors import TensorSpec


@pytest.fixture
def settings():
    return LtxSettings(
        pipeline_class="LTXPipeline",
        scheduler=SchedulerSettings(
            shift=Shift(base=0.95, maximum=2.05, base_tokens=1024, max_tokens=4096), terminal=0.1
        ),
        latent_channels=2,
        spatial_compression=32,
        temporal_compression=8,
        rope_width=32,
        latents_mean=(0.5, -0.25),
        latents_std=(1.5, 0.1),
        injected_noise=(1, 2),
        defaults=Defaults(height=64, prompt="a cat, größer"),
    )


@pytest.fixture
def stored(tmp_path):
    """Writes a file below the bundle's folder and describes it."""

    def store(path, content):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
        return BundleFile(path=path, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    return store


@pytest.fixture
def make_engine(stored):
    def make(name="text_encoder/model.onnx", content=b"graph", **changes):
        values = {
            "backend": Backend.ONNXRUNTIME,
            "precision": Precision.FP16,
            "files": (stored(name, content),),
            "inputs": (TensorSpec(name="input_ids", dtype="int64", axes=("batch", "text_tokens")),),
            "outputs": (TensorSpec(name="embeddings", dtype="float32", axes=("batch", "text_tokens", "16")),),
            "key": {"weights": "abc"},
        }
        return Engine(**{**values, **changes})

    return make


@pytest.fixture
def bundle(settings, stored, make_engine):
    """The manifest of a bundle with one engine and a tokenizer, whose files lie in tmp_path."""
    return Bundle(
        format=FORMAT,
        family=Family.LTX_VIDEO,
        model_version="0.9.1",
        settings=settings,
        tokenizer=stored("tokenizer/tokenizer.json", b"{}"),
        engines={Component.TEXT_ENCODER: (make_engine(),)},
        note="untrained",
    )


@pytest.fixture
def folder(tmp_path, bundle):
    """The folder of that bundle, with its manifest written."""
    write_bundle(tmp_path, bundle)
    return tmp_path
