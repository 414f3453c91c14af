"""The latent upsampler against diffusers' on the same weights, and the files that it comes in."""

import pytest
import tiny_upscaler
import torch
from closeness import BF16, FP32, relative_l2
from safetensors.torch import save_file
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.stored import read_header, read_metadata
from vidrt_reference.ltx_video.latent_upsampler import LatentUpsampler, LatentUpsamplerParams
from vidrt_reference.ltx_video.original.latent_upsampler import upscaler_params
from vidrt_reference.precision import to_precision

SHAPES = {"one voxel": (1, 1, 1, 1), "batch of 2": (2, 2, 3, 2), "odd sizes": (1, 3, 5, 1), "a clip": (1, 4, 6, 8)}
# the published one has four blocks a stage and sees frames together
FORMS = {"tiny": {}, "published": {"num_blocks_per_stage": 4}, "frame by frame": {"dims": 2}}

pytestmark = pytest.mark.usefixtures("_no_grad")


@pytest.fixture
def _no_grad():
    with torch.no_grad():
        yield


def reference(oracle):
    module = LatentUpsampler(LatentUpsamplerParams.from_config(oracle.config)).eval()
    module.load_state_dict(oracle.state_dict(), strict=True)
    return module


def drawn(shape):
    batch, frames, rows, columns = shape
    generator = torch.Generator().manual_seed(sum(shape))
    return 2 * torch.randn(batch, 8, frames, rows, columns, generator=generator) + 0.5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_upsampler_is_diffusers(form, shape):
    """Its latents are diffusers' within 1e-6, from weights whose names match one for one."""
    oracle = tiny_upscaler.build(**FORMS[form])
    got, wanted = reference(oracle)(drawn(shape)), oracle(drawn(shape))
    assert got.shape == (shape[0], 8, shape[1], 2 * shape[2], 2 * shape[3])
    assert relative_l2(got, wanted) <= FP32


def test_half_precision_stays_close():
    """In bf16 its norms and sums are in fp32, and the result is not far off."""
    oracle = tiny_upscaler.build(num_blocks_per_stage=4)
    half = to_precision(reference(oracle), torch.bfloat16, streams=("upsampler",))
    assert relative_l2(half(drawn((1, 3, 4, 5))).float(), oracle(drawn((1, 3, 4, 5)))) <= BF16


def test_the_published_form_is_the_default():
    """What a configuration leaves out is diffusers' default, which is the published form."""
    assert LatentUpsamplerParams.from_config({}) == LatentUpsamplerParams()
    with torch.device("meta"):
        theirs, ours = tiny_upscaler.LTXLatentUpsamplerModel(), LatentUpsampler(LatentUpsamplerParams())
    shapes = [{name: value.shape for name, value in model.state_dict().items()} for model in (theirs, ours)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("config", [None, {}], ids=["metadata", "shapes"])
@pytest.mark.parametrize("form", FORMS)
def test_an_official_file_tells_its_form(tmp_path, form, config):
    """By the configuration in its metadata or, without one, by its shapes."""
    path = tiny_upscaler.save(tmp_path / "file.safetensors", config=config, **FORMS[form])
    params = upscaler_params(read_header(path), read_metadata(path), where=path)
    assert params == LatentUpsamplerParams(**{**tiny_upscaler.CONFIG, **FORMS[form]})


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"temporal_upsample": True}, "temporal upscaler, which makes more frames"),
        ({"temporal_upsample": True, "spatial_upsample": False}, "temporal upscaler, which makes more frames"),
        ({"spatial_upsample": False}, "expected to have True at 'spatial_upsample'"),
        ({"dims": 1}, "2 or 3 dims"),
        ({"mid_channels": 40}, "a multiple of 32 mid_channels, not 3 and 40"),
        ({"num_blocks_per_stage": 0}, "a positive integer at 'num_blocks_per_stage'"),
        ({"rational_spatial_scale": 1.5}, "only keys that are implemented, but has 'rational_spatial_scale'"),
    ],
)
def test_what_is_not_implemented_is_refused(config, told):
    """A temporal upscaler and anything unknown are refused in one sentence."""
    with pytest.raises(CheckpointError, match=told):
        LatentUpsamplerParams.from_config(config)


@pytest.mark.parametrize("spatial", [True, False])
def test_a_temporal_file_is_told_by_its_shapes(tmp_path, spatial):
    """Without metadata the temporal upscaler is known by what it grows, whether it makes pixels too or not."""
    form = {"temporal_upsample": True, "spatial_upsample": spatial}
    path = tiny_upscaler.save(tmp_path / "file.safetensors", config={}, **form)
    with pytest.raises(CheckpointError, match="makes more frames"):
        upscaler_params(read_header(path), {}, where=path)


def test_another_file_is_no_upscaler(tmp_path):
    """A file of other tensors is named with some of them."""
    save_file({"other.weight": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"its tensors are of another kind \(other.weight\)"):
        upscaler_params(read_header(tmp_path / "other.safetensors"), {}, where="other.safetensors")
