"""Both halves of the VAE against diffusers' on the same weights, in all forms."""

import pytest
import tiny_ltx
import torch
from closeness import BF16, FP32, below, relative_l2
from vidrt_reference.checkpoint.folder import component_tensors, read_config
from vidrt_reference.checkpoint.load import load
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.vae import split_vae
from vidrt_reference.ltx_video.vae_decoder import VaeDecoder
from vidrt_reference.ltx_video.vae_encoder import VaeEncoder
from vidrt_reference.ltx_video.vae_params import VaeParams

SHAPES = {"one voxel": (1, 1, 1, 1), "batch of 2": (2, 2, 3, 2), "odd sizes": (1, 3, 5, 1)}
# what the real models have and the tiny ones do not: several layers, noise in the middle, the other causality
VARIATIONS = {
    "0.9.0": {"layers_per_block": (2, 1, 1, 2, 2), "decoder_layers_per_block": (1, 2, 1, 1, 3), "decoder_causal": True},
    "0.9.1": {"decoder_layers_per_block": (1, 2, 1, 3), "decoder_inject_noise": (False, True, True, True)},
    "0.9.5": {
        "layers_per_block": (1, 2, 1, 1, 2),
        "downsample_type": ("spatial", "temporal", "conv", "spatiotemporal"),
    },
}
CASES = [(form, {}) for form in tiny_ltx.FORMS] + list(VARIATIONS.items())

pytestmark = pytest.mark.usefixtures("_no_grad")


@pytest.fixture
def _no_grad():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def oracles():
    return {(form, bool(changes)): tiny_ltx.vae(form, **changes) for form, changes in CASES}


def decoder(oracle):
    module = VaeDecoder(VaeParams.from_config(oracle.config)).eval()
    module.load_state_dict(below("decoder.", oracle.state_dict()), strict=True)
    return module


def encoder(oracle):
    module = VaeEncoder(VaeParams.from_config(oracle.config)).eval()
    module.load_state_dict(below("encoder.", oracle.state_dict()), strict=True)
    return module


def decoder_inputs(module, shape, *, timestep=0.05, seed=7):
    """Latents, timestep and maps, the maps drawn as diffusers will draw them after the same seed."""
    batch, frames, rows, columns = shape
    latents = torch.randn(batch, 8, frames, rows, columns, generator=torch.Generator().manual_seed(sum(shape)))
    given = torch.full((batch,), timestep) if module.params.timestep_conditioning else None
    torch.manual_seed(seed)
    maps = [torch.randn(rows * scale, columns * scale) for scale in module.injected_noise]
    torch.manual_seed(seed)
    return latents, given, maps


def frames_for(shape):
    batch, frames, rows, columns = shape
    size = (batch, 3, 8 * (frames - 1) + 1, rows * 32, columns * 32)
    return 2 * torch.rand(size, generator=torch.Generator().manual_seed(sum(shape))) - 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("varied", [False, True])
@pytest.mark.parametrize("form", tiny_ltx.FORMS)
def test_decoded_frames_are_diffusers(oracles, form, varied, shape):
    """Frames are diffusers' in every form, where noise is injected with the very maps that diffusers draws."""
    oracle = oracles[form, varied]
    module = decoder(oracle)
    latents, timestep, maps = decoder_inputs(module, SHAPES[shape])
    wanted = oracle.decode(latents, timestep).sample
    assert relative_l2(module(latents, timestep, maps), wanted) <= FP32


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("varied", [False, True])
@pytest.mark.parametrize("form", tiny_ltx.FORMS)
def test_moments_are_diffusers(oracles, form, varied, shape):
    """The moments are diffusers' in every form, for one frame as for many."""
    oracle = oracles[form, varied]
    frames = frames_for(SHAPES[shape])
    wanted = oracle.encode(frames).latent_dist.parameters
    assert relative_l2(encoder(oracle)(frames), wanted) <= FP32


def test_noise_maps_are_listed_in_order(oracles):
    """0.9.1 takes two maps per injecting resnet, in the sizes of its stages; the other forms take none."""
    assert decoder(oracles["0.9.0", False]).injected_noise == ()
    assert decoder(oracles["0.9.1", False]).injected_noise == (2, 2, 4, 4, 8, 8)
    assert decoder(oracles["0.9.1", True]).injected_noise == (1,) * 6 + (2,) * 2 + (4,) * 4
    assert decoder(oracles["0.9.5", False]).injected_noise == ()


def test_noise_and_timestep_count(oracles):
    """Other maps, and another timestep, change the frames: neither is ignored."""
    module = decoder(oracles["0.9.1", False])
    frames = module(*decoder_inputs(module, (1, 1, 2, 2)))
    assert relative_l2(module(*decoder_inputs(module, (1, 1, 2, 2), seed=8)), frames) > 1e-2
    assert relative_l2(module(*decoder_inputs(module, (1, 1, 2, 2), timestep=0.5)), frames) > 1e-2


@pytest.mark.parametrize("form", tiny_ltx.FORMS)
def test_bfloat16_stays_near_fp32(oracles, form):
    """Both halves run in bfloat16, the timestep staying fp32, and stay near fp32."""
    module, half = decoder(oracles[form, False]), decoder(oracles[form, False]).to(torch.bfloat16)
    latents, timestep, maps = decoder_inputs(module, (1, 2, 2, 2))
    got = half(latents.bfloat16(), timestep, [one.bfloat16() for one in maps])
    assert got.dtype == torch.bfloat16
    assert relative_l2(got.float(), module(latents, timestep, maps)) <= BF16
    module, half = encoder(oracles[form, False]), encoder(oracles[form, False]).to(torch.bfloat16)
    frames = frames_for((1, 2, 2, 2))
    assert relative_l2(half(frames.bfloat16()).float(), module(frames)) <= BF16


@pytest.mark.parametrize(
    ("form", "timestep", "maps", "told"),
    [
        ("0.9.0", torch.tensor([0.05]), 0, "takes no timestep, but got one"),
        ("0.9.5", None, 0, "takes a timestep, but got none"),
        ("0.9.1", torch.tensor([0.05]), 5, "takes 6 maps of noise, but got 5"),
        ("0.9.0", None, 1, "takes 0 maps of noise, but got 1"),
    ],
)
def test_decoder_refuses_what_it_does_not_take(oracles, form, timestep, maps, told):
    """A timestep or noise that would be ignored, or is missing, is refused."""
    with pytest.raises(ValueError, match=told):
        decoder(oracles[form, False])(torch.zeros(1, 8, 1, 1, 1), timestep, [torch.zeros(1, 1)] * maps)


@pytest.mark.parametrize("form", tiny_ltx.FORMS)
def test_loads_what_diffusers_saved(tmp_path, oracles, form):
    """A saved VAE splits into halves and statistics that load strictly, and gives diffusers' values."""
    oracle = oracles[form, False]
    oracle.save_pretrained(tmp_path)
    params = VaeParams.from_config(read_config(tmp_path, class_name="AutoencoderKLLTXVideo"))
    tensors = split_vae(component_tensors(tmp_path))
    with torch.device("meta"):
        halves = VaeDecoder(params), VaeEncoder(params)
    load(halves[0], tensors.decoder)
    load(halves[1], tensors.encoder)
    inputs = decoder_inputs(halves[0], (1, 2, 1, 2))
    assert relative_l2(halves[0](*inputs), oracle.decode(*inputs[:2]).sample) <= FP32
    assert relative_l2(halves[1](frames_for((1, 1, 1, 1))), oracle.encoder(frames_for((1, 1, 1, 1)))) <= FP32
    for name, stored in tensors.statistics.items():
        assert torch.equal(read_tensor(stored), getattr(oracle, name))
