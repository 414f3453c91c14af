"""Tiny checkpoints and the bundles built from them, each made once a session and only if a test asks for it."""

import os
import shutil

import pytest
import tiny_bundles
from filelock import FileLock
from traces import Traces, patch_tracing

CONDITION = "LTXConditionPipeline"


@pytest.fixture(scope="session")
def traces(tmp_path_factory):
    """The graphs of all processes of a run."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "traces"
    folder.mkdir(exist_ok=True)
    return Traces(folder)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """A function of the VAE's form and the pipeline's class: the folder of that tiny checkpoint, not to be changed."""
    import tiny_ltx

    root = tmp_path_factory.mktemp("checkpoints")

    def checkpoint(form, pipeline="LTXPipeline"):
        folder = root / pipeline / f"tiny-{form}"
        return folder if folder.exists() else tiny_ltx.save(folder, form, pipeline=pipeline)

    return checkpoint


@pytest.fixture(scope="session")
def bundles(checkpoints, traces, tmp_path_factory):
    """A function of the VAE's form and the pipeline's class: the folder of its fp32 bundle, not to be changed."""
    root = tmp_path_factory.mktemp("bundles")

    def bundle(form, pipeline="LTXPipeline"):
        folder = root / pipeline / form
        if not folder.exists():
            if pipeline == CONDITION:  # the same weights: building changes only the manifest
                shutil.copytree(bundle(form), folder)
            with pytest.MonkeyPatch.context() as patch:
                patch_tracing(patch, traces)
                tiny_bundles.build(checkpoints(form, pipeline), folder)
        return folder

    return bundle


@pytest.fixture(scope="session")
def svd_checkpoint(tmp_path_factory):
    """The folder of a tiny Stable Video Diffusion, not to be changed."""
    import tiny_svd

    return tiny_svd.save(tmp_path_factory.mktemp("svd") / "tiny-svd")


@pytest.fixture(scope="session")
def svd_bundle(svd_checkpoint, traces, tmp_path_factory):
    """The folder of its fp32 bundle, not to be changed; all processes of a run share it, since the UNet takes long."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder = root / "svd-bundle"
    with FileLock(root / "svd-bundle.lock"):
        if not folder.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch_tracing(patch, traces)
                tiny_bundles.build(svd_checkpoint, folder)
    return folder


@pytest.fixture(scope="session")
def photo():
    """A picture that has edges, colours and another shape than any video here: RGB, 120 pixels high and 200 wide."""
    import numpy as np
    from PIL import Image

    rows, columns = np.mgrid[:120, :200]
    waves = [np.sin(rows / (5 + 3 * channel)) * np.cos(columns / (9 - 2 * channel)) for channel in range(3)]
    values = 127 + 90 * np.stack(waves, axis=-1) + 40 * (columns > rows)[..., None] - 20
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))
