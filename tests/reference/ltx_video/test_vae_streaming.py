"""The VAE on parts of a video against diffusers' on the whole, in all forms."""

import itertools

import pytest
import tiny_ltx
import torch
from closeness import below, relative_l2
from vidrt_reference.ltx_video.vae_decoder import injected_noise
from vidrt_reference.ltx_video.vae_params import VaeParams
from vidrt_reference.ltx_video.vae_streaming import (
    VaeDecoderStage,
    VaeEncoderStage,
    decoder_stages,
    encoder_stages,
)

# what the real models have and the tiny ones do not: several layers, noise in the middle, the other causality
VARIATIONS = {
    "0.9.0": {"decoder_layers_per_block": (1, 2, 1, 1, 3), "decoder_causal": True},
    "0.9.1": {"decoder_layers_per_block": (1, 2, 1, 3), "decoder_inject_noise": (False, True, True, True)},
    "0.9.5": {
        "layers_per_block": (1, 2, 1, 1, 2),
        "downsample_type": ("spatial", "temporal", "conv", "spatiotemporal"),
    },
}
CASES = [(form, {}) for form in tiny_ltx.FORMS] + list(VARIATIONS.items())
# relative L2: as the whole decoder, but for convolutions whose sums PyTorch orders by how many frames there are
STREAMED = 2e-6
ROWS, COLUMNS = 2, 1

pytestmark = pytest.mark.usefixtures("_no_grad")


@pytest.fixture
def _no_grad():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module", params=range(len(CASES)), ids=lambda number: f"{CASES[number][0]}-{number}")
def oracle(request):
    form, changes = CASES[request.param]
    return tiny_ltx.vae(form, **changes)


def parts(x, first, size):
    """A video in parts of frames."""
    ends = [*range(first, x.shape[2], size), x.shape[2]]
    return [x[:, :, begin:end] for begin, end in itertools.pairwise([0, *ends])]


def streamed(module, shape, chunks, **more):
    """What a stage gives for the parts of a video."""
    unit = chunks[0].shape[3] // shape.before.scale, chunks[0].shape[4] // shape.before.scale
    state = [torch.zeros(1, kept.flow.channels, 0, *(size * kept.flow.scale for size in unit)) for kept in shape.kept]
    passed = []
    for number, chunk in enumerate(chunks, 1):
        result, *state = module(chunk, last=torch.tensor([int(number == len(chunks))]), state=state, **more)
        passed.append(result)
        if number < len(chunks):
            assert [tuple(one.shape[1:3]) for one in state] == [(k.flow.channels, k.frames) for k in shape.kept]
    return torch.cat(passed, dim=2)


@pytest.mark.parametrize("frames", [1, 2, 3, 9, 23])
def test_decoded_parts_are_diffusers(oracle, frames):
    """Frames of parts, however short behind the first, are those that diffusers decodes at once."""
    params = VaeParams.from_config(oracle.config)
    x = torch.randn(1, 8, frames, ROWS, COLUMNS, generator=torch.Generator().manual_seed(frames))
    timestep = torch.tensor([0.05]) if params.timestep_conditioning else None
    torch.manual_seed(7)
    maps = [torch.randn(ROWS * scale, COLUMNS * scale) for scale in injected_noise(params)]
    torch.manual_seed(7)
    wanted = oracle.decode(x, timestep).sample
    shapes = decoder_stages(params)
    for number, (shape, size) in enumerate(zip(shapes, (1, 3, 2, 8), strict=True)):
        stage = VaeDecoderStage(params, number).eval()
        stage.load_state_dict(below("decoder.", oracle.state_dict()), strict=True)
        noise = [maps[index] for index in shape.maps]
        x = streamed(stage, shape, parts(x, shape.late + 1, size), timestep=timestep, noise=noise)
    assert x.shape == wanted.shape
    assert relative_l2(x, wanted) <= STREAMED
    assert sorted(index for shape in shapes for index in shape.maps) == list(range(len(maps)))


@pytest.mark.parametrize(("frames", "first", "size"), [(1, 1, 8), (9, 1, 8), (41, 9, 16), (41, 1, 8)])
def test_encoded_parts_are_diffusers(oracle, frames, first, size):
    """Moments of parts are those that diffusers encodes at once."""
    params = VaeParams.from_config(oracle.config)
    video = 2 * torch.rand(1, 3, frames, 64, 32, generator=torch.Generator().manual_seed(frames)) - 1
    wanted = oracle.encode(video).latent_dist.parameters
    (shape,) = encoder_stages(params)
    stage = VaeEncoderStage(params).eval()
    stage.load_state_dict(below("encoder.", oracle.state_dict()), strict=True)
    got = streamed(stage, shape, parts(video, first, size))
    assert got.shape == wanted.shape
    assert relative_l2(got, wanted) <= STREAMED


def test_an_encoder_that_looks_ahead_has_no_stage():
    """Nothing of diffusers' says when such an encoder would begin its boxes of frames: it is left whole."""
    assert encoder_stages(VaeParams.from_config({**tiny_ltx.VAE["0.9.5"], "encoder_causal": False})) == ()


def test_stages_run_as_late_as_they_have_convolutions():
    """The true decoder of 0.9.5 takes 13 latent frames before the first goes on, and 12 behind that."""
    real = {
        **tiny_ltx.VAE["0.9.5"],
        "latent_channels": 128,
        "decoder_block_out_channels": (256, 512, 1024),
        "decoder_layers_per_block": (5, 5, 5, 5),
    }
    assert [shape.late for shape in decoder_stages(VaeParams.from_config(real))] == [12, 11, 11, 11]
