"""LTX-Video's VAE on a video that passes by, in graphs that were built as any, against diffusers on the whole."""

import contextlib

import numpy as np
import pytest
import tiny_ltx
import torch
from closeness import relative_l2
from vidrt import load_pipeline
from vidrt.components.passing import Parts, ahead
from vidrt.components.vae_decoder import passes_by
from vidrt.pipelines.latents import to_bytes, unit_range

GRAPH = 1e-5  # relative L2, as every graph's
ROWS, COLUMNS = 2, 1


BACKENDS = [*((form, "onnxruntime") for form in tiny_ltx.FORMS), ("0.9.5", "openvino")]


@pytest.fixture(params=BACKENDS, ids="-".join)
def played(request, bundles, checkpoints):
    """The pipeline of a bundle, and diffusers' VAE of the same weights."""
    import diffusers

    form, backend = request.param
    oracle = diffusers.AutoencoderKLLTXVideo.from_pretrained(checkpoints(form), subfolder="vae").eval()
    with load_pipeline(bundles(form), device="cpu", backend=backend) as pipeline:
        yield pipeline, oracle


def decoded(oracle, latents, seed):
    timestep = torch.tensor([0.05]) if oracle.config.timestep_conditioning else None
    torch.manual_seed(seed)
    with torch.no_grad():
        return oracle.decode(torch.from_numpy(latents), timestep).sample


def maps_of(decoder, seed):
    torch.manual_seed(seed)
    return [torch.randn(shape).numpy() for shape in decoder.noise_shapes(ROWS, COLUMNS)]


@pytest.mark.parametrize("frames", [1, 2, 3, 9, 24])
def test_streamed_frames_are_diffusers(played, frames):
    """Every byte is within 1 of diffusers', whose decoder saw all latents at once, and so is the whole graph's."""
    pipeline, oracle = played
    decoder = pipeline.components["vae_decoder"]
    latents = np.random.default_rng(frames).standard_normal((1, 8, frames, ROWS, COLUMNS), np.float32)
    maps = maps_of(decoder, 7)
    parts = list(decoder.stream(latents, 0.05, maps))
    got, wanted = torch.from_numpy(np.concatenate(parts, axis=2)), decoded(oracle, latents, 7)
    assert got.shape == wanted.shape
    assert relative_l2(got, wanted) <= GRAPH
    assert relative_l2(got, torch.from_numpy(decoder(latents, 0.05, maps))) <= GRAPH
    bytes_got, bytes_wanted = (to_bytes(unit_range(one.numpy())).astype(int) for one in (got, wanted))
    assert np.abs(bytes_got - bytes_wanted).max() <= 1
    most = max(stage.first_frames for stage in decoder.engine.engine.stages)
    if passes_by(decoder.engine.engine, frames):
        assert max(part.shape[2] for part in parts) <= most
    else:  # OpenVINO takes less memory for a short video at once
        assert decoder.engine.engine.backend == "openvino"
        assert len(parts) == 1


def test_frames_come_before_all_is_read(played):
    """The first frames are there when the first stages have not seen the last latents, and everything closes."""
    decoder = played[0].components["vae_decoder"]
    latents = np.random.default_rng(0).standard_normal((1, 8, 40, ROWS, COLUMNS), np.float32)
    with contextlib.closing(decoder.stream(latents, 0.05, maps_of(decoder, 7))) as stream:
        first = next(stream)
        assert first.shape[2] < 20
        # the first stage has done its work in advance, and is gone
        assert [stage.provider is None for stage in decoder.engine.stages] == [True, False, False, False]
    assert decoder.engine.provider is None
    assert not any(stage.provider for stage in decoder.engine.stages)


@pytest.mark.parametrize(("frames", "cut"), [(1, 1), (9, 4), (41, 7), (41, 41)])
def test_streamed_moments_are_diffusers(played, frames, cut):
    """Moments of a video that comes in parts of any size are diffusers' of the whole."""
    pipeline, oracle = played
    encoder = pipeline.components["vae_encoder"]
    video = np.random.default_rng(frames).uniform(-1, 1, (1, 3, frames, 64, 32)).astype(np.float32)
    parts = encoder.stream(np.split(video, range(cut, frames, cut), axis=2), pipeline.bundle.ltx.temporal_compression)
    got = np.concatenate(list(parts), axis=2)
    with torch.no_grad():
        wanted = oracle.encode(torch.from_numpy(video)).latent_dist.parameters
    assert got.shape == tuple(wanted.shape)
    assert relative_l2(torch.from_numpy(got), wanted) <= GRAPH


def test_parts_have_the_sizes_asked_for():
    """Parts are as large as asked, whatever comes in, and the last is small where a stage owes frames."""

    def sizes(parts, *coming):
        return [(part.shape[2], is_last) for part, is_last in parts.cut(np.zeros((1, 1, n, 1, 1)) for n in coming)]

    late = Parts(first=4, others=4, end=1)
    assert sizes(late, 3) == [(3, True)]
    assert sizes(late, 4) == [(4, True)]
    assert sizes(late, 1, 3, 1) == [(4, False), (1, True)]
    assert sizes(late, 11) == [(4, False), (4, False), (2, False), (1, True)]
    assert sizes(Parts(first=9, others=8), 5, 5, 15) == [(9, False), (8, False), (8, True)]


def test_a_stage_in_advance_gathers_no_more_than_told():
    """What it passes on comes in its order; beyond the limit it works only as it is asked."""
    asked = []

    def flow():
        for number in range(6):
            asked.append(number)
            yield np.full((1, 1, 2, 1, 1), number, np.float32)

    got = ahead(flow(), most=3 * 8)
    assert float(next(got)[0, 0, 0, 0, 0]) == 0
    assert asked == [0, 1, 2]
    assert [float(part[0, 0, 0, 0, 0]) for part in got] == [1, 2, 3, 4, 5]
    assert asked == list(range(6))
