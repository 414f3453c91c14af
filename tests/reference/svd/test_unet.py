"""The UNet against diffusers' on the same weights."""

import pytest
import tiny_svd
import torch
from closeness import BF16, FP32, relative_l2
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import component_tensors, read_config
from vidrt_reference.checkpoint.load import load
from vidrt_reference.svd.unet import UNet
from vidrt_reference.svd.unet_params import UNetParams

LAYOUTS = {
    "as the real one": {},
    "heads of 64": tiny_svd.TRUE_HEADS,
    "two levels, two pairs of blocks": {**tiny_svd.SHALLOW, "transformer_layers_per_block": 2},
}
REAL, WIDE, TWO = LAYOUTS
# batch, frames, rows, columns: sizes that halve evenly, and odd ones at every level
SHAPES = [(1, 1, 8, 8), (1, 2, 16, 8), (1, 25, 9, 6), (2, 14, 8, 12)]
CASES = [*((REAL, shape) for shape in SHAPES), (REAL, (1, 14, 17, 13)), (WIDE, SHAPES[3]), (TWO, SHAPES[3])]
PUBLISHED = {
    "_class_name": "UNetSpatioTemporalConditionModel",
    "addition_time_embed_dim": 256,
    "block_out_channels": [320, 640, 1280, 1280],
    "cross_attention_dim": 1024,
    "down_block_types": [*["CrossAttnDownBlockSpatioTemporal"] * 3, "DownBlockSpatioTemporal"],
    "in_channels": 8,
    "layers_per_block": 2,
    "num_attention_heads": [5, 10, 20, 20],
    "num_frames": 25,
    "out_channels": 4,
    "projection_class_embeddings_input_dim": 768,
    "sample_size": 96,
    "transformer_layers_per_block": 1,
    "up_block_types": ["UpBlockSpatioTemporal", *["CrossAttnUpBlockSpatioTemporal"] * 3],
}
EXACT = 1e-7  # both compute in fp64 but for the angles of the sinusoids, which diffusers rounds to fp32

pytestmark = pytest.mark.usefixtures("_no_grad")


@pytest.fixture
def _no_grad():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def pairs():
    """A function of the layout: diffusers' UNet and ours, with the same weights, made once."""
    made = {}

    def pair(layout):
        if layout not in made:
            oracle = tiny_svd.unet(**LAYOUTS[layout])
            made[layout] = oracle, reference(oracle)
        return made[layout]

    return pair


def reference(oracle):
    module = UNet(UNetParams.from_config(oracle.config)).eval()
    module.load_state_dict(oracle.state_dict(), strict=True)
    return module


def inputs(shape, *, dtype=torch.float32):
    """Inputs of `UNet.forward`, each clip with its own conditions."""
    batch, frames, rows, columns = shape
    generator = torch.Generator().manual_seed(sum(shape))
    sample = torch.randn(batch, frames, 8, rows, columns, generator=generator)
    timestep = 1.6 * torch.randn(batch, generator=generator)
    image_embeds = torch.randn(batch, 1, tiny_svd.EMBEDDING, generator=generator)
    ids = torch.tensor([[6.0, 127.0, 0.02], [24.0, 30.0, 0.1]])[:batch]
    return tuple(value.to(dtype) for value in (sample, timestep, image_embeds, ids))


@pytest.mark.parametrize(("layout", "shape"), CASES)
def test_velocity_is_diffusers(pairs, layout, shape):
    """In fp64 the velocity is diffusers' to the last digits that it keeps, in every layout, at odd and even sizes."""
    oracle, module = (model.double() for model in pairs(layout))
    given = inputs(shape, dtype=torch.float64)
    got, wanted = module(*given), oracle(*given).sample
    oracle.float(), module.float()
    assert relative_l2(got, wanted) <= EXACT


@pytest.mark.parametrize(("layout", "shape"), CASES)
def test_velocity_is_diffusers_in_fp32(pairs, layout, shape):
    """In fp32 it is diffusers', where the image's embedding is such that the order of a sum does not matter.

    Any other order of any sum moves the output of so deep a network by its own distance from the exact result, which
    is more than the bar; ours projects a clip's embedding once, diffusers once for each pixel.
    """
    oracle, module = pairs(layout)
    sample, timestep, image_embeds, ids = inputs(shape)
    image_embeds = torch.nn.functional.one_hot(image_embeds.argmax(-1), tiny_svd.EMBEDDING).float()
    given = (sample, timestep, image_embeds, ids)
    assert relative_l2(module(*given), oracle(*given).sample) <= FP32


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rounds_no_worse_than_diffusers(pairs, layout):
    """With any embedding, fp32 is as near to the exact result as diffusers' fp32 is."""
    oracle, module = pairs(layout)
    given = inputs((2, 14, 8, 12))
    ours, theirs = module(*given), oracle(*given).sample
    exact = oracle.double()(*(value.double() for value in given)).sample
    oracle.float()
    assert relative_l2(ours, exact) <= 1.25 * relative_l2(theirs, exact) + FP32 / 10


def test_every_weight_counts():
    """No parameter of the tiny checkpoint is idle but what a single key makes so: its own weights and its queries'."""
    oracle = tiny_svd.unet(**tiny_svd.TRUE_HEADS)
    module = reference(oracle)
    with torch.enable_grad():
        got = module(*inputs((2, 3, 16, 16)))
        (got * torch.linspace(-1, 1, got.numel()).view_as(got)).sum().backward()
    idle = [name for name, value in module.named_parameters() if value.grad is None or value.grad.abs().max() < 1e-6]
    assert [name for name in idle if not name.rpartition(".")[0].endswith(("attn2.to_q", "attn2.to_k", ".norm2"))] == []


def test_several_keys_are_attended_to(pairs):
    """With a context of more tokens than one, where the queries count too, the velocity is diffusers'."""
    oracle, module = (model.double() for model in pairs("as the real one"))
    sample, timestep, _, ids = inputs((2, 3, 8, 8), dtype=torch.float64)
    context = torch.randn(2, 5, tiny_svd.EMBEDDING, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    got, wanted = module(sample, timestep, context, ids), oracle(sample, timestep, context, ids).sample
    oracle.float(), module.float()
    assert relative_l2(got, wanted) <= EXACT


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bfloat16_stays_near_fp32(pairs, layout):
    """In bfloat16 the velocity is finite and within the bar of fp32, the timestep and the time ids staying fp32."""
    module = pairs(layout)[1]
    sample, timestep, image_embeds, ids = inputs((1, 3, 16, 16))
    wanted = module(sample, timestep, image_embeds, ids)
    half = UNet(module.params).eval()
    half.load_state_dict(module.state_dict())
    got = half.to(torch.bfloat16)(sample.bfloat16(), timestep, image_embeds.bfloat16(), ids)
    assert got.dtype == torch.bfloat16
    assert relative_l2(got.float(), wanted) <= BF16


def test_loads_what_diffusers_saved(tmp_path, pairs):
    """A folder that diffusers saved loads strictly, value by value, into a module without memory of its own."""
    oracle = pairs("as the real one")[0]
    oracle.save_pretrained(tmp_path)
    params = UNetParams.from_config(read_config(tmp_path, class_name="UNetSpatioTemporalConditionModel"))
    with torch.device("meta"):
        module = UNet(params)
    load(module, component_tensors(tmp_path))
    state = oracle.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert module(*inputs((1, 2, 8, 8))).isfinite().all()


def test_defaults_are_the_real_one():
    """An empty configuration means SVD-XT, as it does in diffusers, with the same names and shapes."""
    from diffusers import UNetSpatioTemporalConditionModel

    params = UNetParams.from_config({})
    assert params == UNetParams()
    assert params == UNetParams.from_config(PUBLISHED)
    with torch.device("meta"):
        models = UNet(params), UNetSpatioTemporalConditionModel.from_config(PUBLISHED)
    shapes = [{name: value.shape for name, value in model.state_dict().items()} for model in models]
    assert shapes[0] == shapes[1]
    assert sum(shape.numel() for shape in shapes[0].values()) == 1_524_623_082


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"in_channels": "x"}, "a positive integer at 'in_channels', but has 'x'"),
        ({"layers_per_block": [2, 2, 2, 2]}, "a positive integer at 'layers_per_block'"),
        ({"num_attention_heads": [5, 10]}, "num_attention_heads were expected to be 4"),
        ({"num_attention_heads": 7}, "num_attention_heads were expected to be divisors of block_out_channels"),
        ({"block_out_channels": [320, 640, 1280, 100]}, "multiples of 32"),
        ({"down_block_types": ["DownBlock3D"] * 4}, "at 'down_block_types', but has"),
        ({"up_block_types": ["UpBlockSpatioTemporal"]}, "up_block_types were expected to be 4"),
        ({"addition_time_embed_dim": 250}, "addition_time_embed_dim were expected to be even and divide the 768"),
        ({"quantization_config": {"bits": 4}}, "'quantization_config'"),
    ],
)
def test_refuses_what_it_does_not_implement(change, told):
    """A value that is of the wrong type or not implemented is refused in one sentence that quotes it."""
    with pytest.raises(CheckpointError, match=told) as error:
        UNetParams.from_config(change)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
