"""The recipe: what is added, in which precision, and how it is known without being made."""

import pytest
import tiny_lora
import tiny_ltx
import torch
from closeness import FP32, relative_l2
from safetensors.torch import save_file
from vidrt_reference.checkpoint.derived import scaled
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.stored import read_header
from vidrt_reference.lora import merged as module
from vidrt_reference.lora.merged import Difference, LowRank, Merged, merged


@pytest.fixture
def stored(tmp_path):
    """Saves tensors and finds them."""

    def save(**tensors):
        save_file(tensors, tmp_path / "model.safetensors")
        return read_header(tmp_path / "model.safetensors")

    return save


def drawn(seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"weight": (50, 31), "down": (6, 31), "up": (50, 6), "other": (50, 31)}
    return {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("block", [1, 31 * 7, 1 << 22])
def test_one_rounding(stored, monkeypatch, dtype, block):
    """The sum of all, in fp32 or better, rounded to the weight's type, however many rows are made at once."""
    monkeypatch.setattr(module, "_BLOCK", block)
    values = drawn(dtype=dtype)
    found = stored(**values)
    low = LowRank(scale=0.3, down=found["down"], up=found["up"])
    both = merged(merged(found["weight"], low), Difference(scale=-2.0, value=found["other"]))
    assert isinstance(both.recipe, Merged)
    assert len(both.recipe.terms) == 2
    double = {name: value.double() for name, value in values.items()}
    wanted = double["weight"] + 0.3 * double["up"] @ double["down"] - 2 * double["other"]
    got = read_tensor(both)
    assert got.dtype == dtype
    assert relative_l2(got, wanted.to(dtype)) <= (FP32 if got.dtype.itemsize > 2 else 1e-4)
    assert (both.shape, both.dtype, both.nbytes) == ((50, 31), found["weight"].dtype, found["weight"].nbytes)


def test_a_vector_may_differ(stored):
    """A norm or a bias, which no matrices change."""
    found = stored(weight=torch.ones(7), other=torch.arange(7.0))
    assert torch.equal(
        read_tensor(merged(found["weight"], Difference(scale=2.0, value=found["other"]))), 1 + 2 * torch.arange(7.0)
    )


def test_weights_of_eight_bits_with_a_scale(stored):
    """What is added to is the product in bf16, as it would be without a LoRA."""
    values = drawn()
    eight, scale = values["weight"].to(torch.float8_e4m3fn), torch.tensor(0.37)
    found = stored(eight=eight, scale=scale, down=values["down"], up=values["up"])
    base = scaled(found["eight"], found["scale"])
    got = read_tensor(merged(base, LowRank(scale=1.0, down=found["down"], up=found["up"])))
    wanted = (eight.float() * scale).bfloat16().float() + values["up"] @ values["down"]
    assert got.dtype == torch.bfloat16
    assert relative_l2(got.float(), wanted.bfloat16().float()) <= 1e-4


def test_sums_that_do_not_fit(stored):
    """Infinity in a weight would be a black video."""
    found = stored(weight=torch.full((2, 3), 6e4, dtype=torch.float16), other=torch.full((2, 3), 6e4))
    with pytest.raises(CheckpointError, match=r"weight with its LoRAs has values that F16 cannot hold: use smaller"):
        read_tensor(merged(found["weight"], Difference(scale=1.0, value=found["other"])))


def test_differences_of_norms_and_biases_are_diffusers_weights(tmp_path, base, merged):
    """ComfyUI's differences: what they give is what diffusers has when the same is added to its parameters."""
    model = tiny_ltx.transformer()
    names = {"transformer_blocks.0.attn1.norm_q": "transformer_blocks.0.attn1.q_norm", "proj_out": "proj_out"}
    noise = {name: torch.randn(model.get_parameter(f"{name}.weight").shape) for name in names}
    bias = torch.randn(8)
    state = {f"diffusion_model.{names[name]}.diff": value for name, value in noise.items()}
    save_file({**state, "diffusion_model.proj_out.diff_b": bias}, tmp_path / "lora.safetensors")
    tensors = merged(base(), (tmp_path / "lora.safetensors", 0.5))
    with torch.no_grad():
        for name, value in noise.items():
            model.get_parameter(f"{name}.weight").add_(0.5 * value)
        model.proj_out.bias.add_(0.5 * bias)
    for name, wanted in model.state_dict().items():
        assert torch.equal(read_tensor(tensors[name]), wanted), name


def test_ingredients_tell_scales_and_tensors_apart(tmp_path, base, merged):
    """Another scale, another file or another order is another list; the same is the same."""
    one, two = (tiny_lora.save(tmp_path / f"{seed}.safetensors", seed) for seed in (1, 2))
    tensors = base()
    lists = [
        merged(tensors, *loras)["proj_in.weight"].recipe.ingredients()
        for loras in ([(one, 1.0)], [(one, 0.5)], [(two, 1.0)], [(one, 1.0), (two, 1.0)], [(one, 1.0), (one, 1.0)])
    ]
    assert len(set(lists)) == len(lists)
    assert lists[0] == merged(tensors, (one, 1.0))["proj_in.weight"].recipe.ingredients()
    assert lists[0][0] == ("base", tensors["proj_in.weight"])
