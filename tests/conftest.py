"""Tiny checkpoints and the bundles built from them, each made once a session and only if a test asks for it."""

import shutil

import pytest
import tiny_bundles
from traces import Traces, patch_tracing

CONDITION = "LTXConditionPipeline"


@pytest.fixture(scope="session")
def traces():
    """The session's graphs."""
    return Traces()


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
