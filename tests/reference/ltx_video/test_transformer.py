"""The transformer against diffusers' on the same weights."""

import pytest
import tiny_ltx
import torch
from closeness import BF16, FP32, relative_l2
from vidrt_reference.attention import attend
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import component_tensors, read_config
from vidrt_reference.checkpoint.load import load
from vidrt_reference.ltx_video.rope import rope_tables
from vidrt_reference.ltx_video.transformer import Transformer, TransformerParams

LAYOUTS = {
    "as the 2B model": {},
    "as the 13B model, with heads twice as wide": {
        "attention_head_dim": 16,
        "cross_attention_dim": 64,
        "num_layers": 3,
    },
    "a width that 6 divides": {"attention_head_dim": 12, "cross_attention_dim": 48},
    "other channels out, no biases": {"out_channels": 6, "attention_bias": False, "attention_out_bias": False},
}
SHAPES = {"one token": (1, 1, 1, 1, 1), "batch of 2": (2, 3, 4, 5, 7), "many tokens": (1, 5, 9, 7, 40)}

pytestmark = pytest.mark.usefixtures("_no_grad")


@pytest.fixture
def _no_grad():
    with torch.no_grad():
        yield


def reference(oracle):
    module = Transformer(TransformerParams.from_config(oracle.config)).eval()
    module.load_state_dict(oracle.state_dict(), strict=True)
    return module


def inputs(shape, *, per_token, channels=8):
    """Inputs of `Transformer.forward`, and the coordinates behind their tables."""
    batch, frames, rows, columns, length = shape
    tokens = frames * rows * columns
    generator = torch.Generator().manual_seed(sum(shape))
    latents = torch.randn(batch, tokens, channels, generator=generator)
    context = torch.randn(batch, length, 16, generator=generator)
    timestep = 1000 * torch.rand(batch, tokens if per_token else 1, generator=generator)
    coordinates = torch.rand(tokens, 3, generator=generator) * torch.tensor([6.0, 700.0, 1200.0])
    return latents, context, timestep, coordinates


def both(oracle, module, shape, *, per_token):
    latents, context, timestep, coordinates = inputs(shape, per_token=per_token)
    tables = rope_tables(coordinates, module.params.inner_dim)
    mask = torch.ones(context.shape[:2])
    coords = coordinates.T.expand(len(latents), -1, -1)
    wanted = oracle(latents, context, timestep, mask, video_coords=coords).sample
    return module(latents, context, timestep, *tables), wanted


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("per_token", [False, True])
def test_velocity_is_diffusers(layout, shape, per_token):
    """The velocity is diffusers' for one timestep and for one per token, in every layout of heads."""
    oracle = tiny_ltx.transformer(**LAYOUTS[layout])
    got, wanted = both(oracle, reference(oracle), SHAPES[shape], per_token=per_token)
    assert relative_l2(got, wanted) <= FP32


def test_context_without_padding_equals_masked_padding():
    """A prompt's own tokens without mask give what diffusers gives for the padded prompt with its mask."""
    oracle = tiny_ltx.transformer()
    latents, context, timestep, coordinates = inputs(SHAPES["batch of 2"], per_token=False)
    padded = torch.cat([context, 5 * torch.ones(2, 9, 16)], dim=1)
    mask = torch.cat([torch.ones(2, 7), torch.zeros(2, 9)], dim=1)
    coords = coordinates.T.expand(2, -1, -1)
    wanted = oracle(latents, padded, timestep, mask, video_coords=coords).sample
    assert relative_l2(reference(oracle)(latents, context, timestep, *rope_tables(coordinates, 32)), wanted) <= FP32


def test_every_weight_counts():
    """No parameter of the tiny checkpoint is idle, so that a weight used wrongly cannot go unseen."""
    oracle = tiny_ltx.transformer()
    module = reference(oracle)
    with torch.enable_grad():
        got, _ = both(oracle, module, SHAPES["batch of 2"], per_token=True)
        (got * torch.linspace(-1, 1, got.numel()).view_as(got)).sum().backward()
    idle = [name for name, value in module.named_parameters() if value.grad is None or not value.grad.any()]
    # a key's bias adds the same to all scores of a query, but for the norm behind it: so none is left out
    assert idle == []


def test_bfloat16_stays_near_fp32():
    """In bfloat16 the velocity is finite and within the bar of fp32, timestep and tables staying fp32."""
    oracle = tiny_ltx.transformer()
    module = reference(oracle)
    latents, context, timestep, coordinates = inputs(SHAPES["many tokens"], per_token=False)
    tables = rope_tables(coordinates, 32)
    wanted = module(latents, context, timestep, *tables)
    got = module.to(torch.bfloat16)(latents.bfloat16(), context.bfloat16(), timestep, *tables)
    assert got.dtype == torch.bfloat16
    assert relative_l2(got.float(), wanted) <= BF16


def test_attention_can_be_swapped():
    """Every attention calls its own `attend` attribute, so that an exporter can put another lowering there."""
    module = reference(tiny_ltx.transformer())
    calls = []

    def counted(*args, **kwargs):
        calls.append(kwargs)
        return attend(*args, **kwargs)

    for part in module.modules():
        if hasattr(part, "attend"):
            part.attend = counted
    latents, context, timestep, coordinates = inputs(SHAPES["one token"], per_token=False)
    module(latents, context, timestep, *rope_tables(coordinates, 32))
    assert calls == [{"heads": 4}] * 4


def test_loads_what_diffusers_saved(tmp_path):
    """A folder that diffusers saved loads strictly into a module without memory of its own, and gives its velocity."""
    oracle = tiny_ltx.transformer()
    oracle.save_pretrained(tmp_path)
    params = TransformerParams.from_config(read_config(tmp_path, class_name="LTXVideoTransformer3DModel"))
    with torch.device("meta"):
        module = Transformer(params)
    load(module, component_tensors(tmp_path))
    got, wanted = both(oracle, module, SHAPES["batch of 2"], per_token=False)
    assert relative_l2(got, wanted) <= FP32


def test_defaults_are_diffusers():
    """An empty configuration means the 2B model, as it does in diffusers, with as many tensors as the real file."""
    params = TransformerParams.from_config({})
    with torch.device("meta"):
        module = Transformer(params)
    assert params == TransformerParams()
    assert len(module.state_dict()) == 715
    assert module.proj_in.weight.shape == (2048, 128)


def test_13b_has_diffusers_names():
    """The 13B configuration gives exactly the names and shapes that diffusers' module has."""
    from diffusers import LTXVideoTransformer3DModel

    config = {"num_layers": 48, "attention_head_dim": 128, "cross_attention_dim": 4096}
    with torch.device("meta"):
        module = Transformer(TransformerParams.from_config(config))
        oracle = LTXVideoTransformer3DModel(**config)
    shapes = [{name: value.shape for name, value in one.state_dict().items()} for one in (module, oracle)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"num_layers": "x"}, "a positive integer at 'num_layers', but has 'x'"),
        ({"num_layers": 0}, "a positive integer at 'num_layers', but has 0"),
        ({"num_layers": -3}, "a positive integer at 'num_layers', but has -3"),
        ({"num_layers": True}, "a positive integer at 'num_layers', but has True"),
        ({"num_layers": 2.0}, "a positive integer at 'num_layers', but has 2.0"),
        ({"num_layers": None}, "a positive integer at 'num_layers', but has None"),
        ({"norm_eps": "1e-6"}, "a positive number at 'norm_eps'"),
        ({"norm_eps": float("nan")}, "a positive number at 'norm_eps'"),
        ({"attention_bias": 1}, "true or false at 'attention_bias'"),
        ({"patch_size": 2}, "1 at 'patch_size', but has 2"),
        ({"activation_fn": "geglu"}, "'gelu-approximate' at 'activation_fn', but has 'geglu'"),
        ({"qk_norm": "layer_norm"}, "'rms_norm_across_heads' at 'qk_norm'"),
        ({"norm_elementwise_affine": True}, "False at 'norm_elementwise_affine', but has True"),
        ({"quantization_config": {"bits": 4}}, "'quantization_config'"),
        ({"cross_attention_dim": 4096}, "heads times head dim, 2048, .* but is 4096"),
        ({"num_attention_heads": 3, "attention_head_dim": 5, "cross_attention_dim": 15}, "even, .* but is 15"),
    ],
)
def test_refuses_what_it_does_not_implement(change, told):
    """A value that is of the wrong type or not implemented is refused in one sentence that quotes it."""
    with pytest.raises(CheckpointError, match=told) as error:
        TransformerParams.from_config(change)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


def test_ignores_private_keys():
    """Keys that diffusers writes for itself, with an underscore in front, do not count."""
    assert TransformerParams.from_config({"_class_name": "X", "_diffusers_version": "0"}) == TransformerParams()
