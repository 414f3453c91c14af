"""Diffusers' pipelines, and both halves of a comparison made once."""

import pytest
from oracle import Oracle


@pytest.fixture(scope="session")
def oracles(checkpoints):
    """A function of the VAE's form and the pipeline's class: diffusers' pipeline on that checkpoint."""
    loaded = {}

    def oracle(form, pipeline="LTXPipeline"):
        if (form, pipeline) not in loaded:
            loaded[form, pipeline] = Oracle(checkpoints(form, pipeline))
        return loaded[form, pipeline]

    return oracle


@pytest.fixture(scope="session")
def pipelines(bundles):
    """A function of the VAE's form and the pipeline's class: the runtime's pipeline on that bundle."""
    from vidrt import load_pipeline

    opened = {}

    def pipeline(form, name="LTXPipeline"):
        if (form, name) not in opened:
            opened[form, name] = load_pipeline(bundles(form, name), device="cpu", keep_loaded=True)
        return opened[form, name]

    yield pipeline
    for one in opened.values():
        one.close()
