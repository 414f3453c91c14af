"""A memory limit on the CPU with Stable Video Diffusion: how many frames are decoded at once."""

import numpy as np
import pytest
from vidrt import load_pipeline
from vidrt.errors import RequestError
from vidrt.pipelines.limit import MemoryLimit
from vidrt.pipelines.svd.limit import SvdLimit

SMALL = {"height": 128, "width": 128, "num_frames": 5, "num_inference_steps": 1, "seed": 7}


@pytest.fixture
def needs(svd_bundle, photo):
    """A function of the frames decoded at once: what decoding takes of memory."""
    with load_pipeline(svd_bundle, device="cpu", backend="onnxruntime") as pipeline:
        limit = SvdLimit(limit=MemoryLimit(1, pipeline.components, print), settings=pipeline.bundle.svd)

        def own(count, **changes):
            run = pipeline.check(image=photo, **{**SMALL, **changes}, decode_chunk_size=count)
            return limit.phases(run)[-1].need.own

        yield own


def opened_on(folder, limit=None, **options):
    return load_pipeline(folder, device="cpu", backend="onnxruntime", memory_limit=limit, **options)


def test_the_most_frames_that_fit_are_decoded_at_once(svd_bundle, photo, notes, needs):
    """All, or half of them again and again, told and recorded, with the frames of that chunk size asked for."""
    with opened_on(svd_bundle, needs(3), progress=notes) as pipeline:
        limited = pipeline(image=photo, **SMALL)
    assert limited.record["decode_chunk_size"] == 3
    assert [line.split(",")[0] for line in notes.lines if "the limit is" in line] == ["Decoding 3 frames at once"]
    with opened_on(svd_bundle) as pipeline:
        asked = pipeline(image=photo, **SMALL, decode_chunk_size=3)
    assert np.array_equal(limited.frames, asked.frames)
    with opened_on(svd_bundle, needs(5)) as pipeline:
        assert pipeline.check(image=photo, **SMALL).decode_chunk_size is None


def test_what_was_asked_for_is_not_overridden(svd_bundle, photo, needs, sentence):
    """A chunk size that is over the limit is refused, with the one that fits."""
    with opened_on(svd_bundle, needs(3)) as pipeline, pytest.raises(RequestError) as error:
        pipeline.check(image=photo, **SMALL, decode_chunk_size=5)
    assert "Decoding 5 frames at once would take " in sentence(error)
    assert "take a decode chunk size of 3 or a limit of" in sentence(error)


def test_what_cannot_fit_opens_nothing(svd_bundle, photo, opened, sentence):
    """What denoising takes cannot be cut, and is told before anything is opened."""
    large = {**SMALL, "height": 1024, "width": 1024, "num_frames": 25}
    with opened_on(svd_bundle, "100MB") as pipeline, pytest.raises(RequestError, match=" would take ") as error:
        pipeline.denoise(image=photo, **large)
    assert "a smaller size" in sentence(error)
    assert opened == []
