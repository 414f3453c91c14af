"""Merged transformers against diffusers' with the same adapters."""

import json

import pytest
import tiny_lora
import tiny_ltx
import torch
from closeness import FP32, relative_l2
from diffusers import LTXPipeline
from peft import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from vidrt_reference.checkpoint.load import load
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.ltx_video.rope import rope_tables
from vidrt_reference.ltx_video.transformer import Transformer, TransformerParams

pytestmark = [
    pytest.mark.filterwarnings("ignore:Already found a `peft_config`"),  # several are meant
    pytest.mark.filterwarnings("ignore:Adapter 'default'"),  # peft takes a bias for a damaged matrix
]

PATTERNS = {"rank_pattern": {"attn1.to_q": 2, "^proj_in": 6}, "alpha_pattern": {"attn1.to_q": 3, "^proj_in": 5.0}}
# What trainers set besides the rank.
CONFIGS = {
    "alpha as the rank": {"lora_alpha": 4},
    "alpha": {"lora_alpha": 10},
    "patterns": {"lora_alpha": 2, **PATTERNS},
    "divided by the root of the rank": {"lora_alpha": 6, "use_rslora": True, **PATTERNS},
    "biases": {"lora_alpha": 6, "lora_bias": True},
}


@torch.no_grad()
def assert_same_velocity(tensors, oracle):
    """The reference on merged tensors gives what diffusers gives with its adapters, which do change it."""
    generator = torch.Generator().manual_seed(5)
    latents = torch.randn(2, 24, 8, generator=generator)
    context = torch.randn(2, 7, 16, generator=generator)
    timestep = 1000 * torch.rand(2, 1, generator=generator)
    coordinates = 100 * torch.rand(24, 3, generator=generator)
    module = Transformer(TransformerParams.from_config(oracle.config)).eval()
    load(module, tensors)
    got = module(latents, context, timestep, *rope_tables(coordinates, module.params.inner_dim))
    inputs = (latents, context, timestep, torch.ones(2, 7))
    coords = coordinates.T.expand(2, -1, -1)
    wanted = oracle.eval()(*inputs, video_coords=coords).sample
    assert relative_l2(got, wanted) <= FP32
    oracle.disable_lora()
    assert relative_l2(oracle(*inputs, video_coords=coords).sample, wanted) > 0.01


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("form", ["adapter", "pipeline"])
def test_files_that_diffusers_saves(tmp_path, base, merged, config, form):
    """With alphas for all or for some, for roots of ranks, and with biases: the file's metadata are as diffusers'."""
    model = tiny_lora.trained(**CONFIGS[config])
    if form == "adapter":
        model.save_lora_adapter(tmp_path)
    else:
        told = {"transformer_lora_adapter_metadata": model.peft_config["default"].to_dict()}
        LTXPipeline.save_lora_weights(tmp_path, get_peft_model_state_dict(model), **told)
    path = tmp_path / "pytorch_lora_weights.safetensors"
    oracle = tiny_ltx.transformer()
    # without use_safetensors diffusers reads the matrices alone
    oracle.load_lora_adapter(str(path), prefix=None if form == "adapter" else "transformer", use_safetensors=True)
    assert_same_velocity(merged(base(), (path, 1.0)), oracle)


def test_files_without_any_alpha(tmp_path, base, merged):
    """Products count as they are, whatever their ranks."""
    path = tiny_lora.save(tmp_path / "lora.safetensors")
    oracle = tiny_ltx.transformer()
    oracle.load_lora_adapter(load_file(path))
    assert_same_velocity(merged(base(), (path, 1.0)), oracle)


def test_alphas_among_the_tensors(tmp_path, base, merged):
    """Each module has its own."""
    alphas = {name: 1.5 + number for number, name in enumerate(tiny_lora.RANKS)}
    path = tiny_lora.save(tmp_path / "lora.safetensors", alphas=alphas)
    oracle = tiny_ltx.transformer()
    given = {f"transformer.{name}.lora_A.weight": alpha for name, alpha in alphas.items()}
    oracle.load_lora_adapter(tiny_lora.spelled(tiny_lora.pairs()), network_alphas=given)
    assert_same_velocity(merged(base(), (path, 1.0)), oracle)


def test_several_with_scales(tmp_path, base, merged):
    """Two files and one of them again, one against the others: as three adapters with weights."""
    scales = {"one": 0.7, "two": -0.45, "again": 1.6}
    paths = {name: tmp_path / f"{name}.safetensors" for name in ("one", "two")}
    tiny_lora.save(paths["one"], 1)
    config = {"r": 3, "lora_alpha": 5, "target_modules": ["to_q", "net.2"]}
    tiny_lora.trained(2, **config).save_lora_adapter(tmp_path, weight_name="two.safetensors")
    oracle = tiny_ltx.transformer()
    oracle.load_lora_adapter(load_file(paths["one"]), adapter_name="one")
    oracle.load_lora_adapter(str(paths["two"]), prefix=None, adapter_name="two", use_safetensors=True)
    oracle.load_lora_adapter(load_file(paths["one"]), adapter_name="again")
    oracle.set_adapters(list(scales), list(scales.values()))
    loras = [(paths.get(name, paths["one"]), scale) for name, scale in scales.items()]
    assert_same_velocity(merged(base(), *loras), oracle)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_are_those_that_diffusers_fuses(tmp_path, base, merged, dtype):
    """In fp32, then rounded once; what no adapter names keeps its bytes."""
    path = tiny_lora.save(tmp_path / "lora.safetensors", alphas=dict.fromkeys(tiny_lora.RANKS, 3.0))
    oracle = tiny_ltx.transformer().to(dtype).float()
    given = {f"transformer.{name}.lora_A.weight": 3.0 for name in tiny_lora.RANKS}
    oracle.load_lora_adapter(tiny_lora.spelled(tiny_lora.pairs()), network_alphas=given)
    oracle.fuse_lora(lora_scale=0.8)
    oracle.unload_lora()
    fused = oracle.state_dict()
    tensors = merged(base(dtype), (path, 0.8))
    changed = {name for name, tensor in tensors.items() if tensor.recipe is not None}
    assert changed == {f"{name}.weight" for name in tiny_lora.RANKS}
    for name, tensor in tensors.items():
        got = read_tensor(tensor)
        assert got.dtype == dtype
        wanted = fused[name].to(dtype)
        if name not in changed:
            assert torch.equal(got, wanted)
        else:
            assert relative_l2(got.float(), wanted.float()) <= (FP32 if dtype is torch.float32 else 2e-4)
            assert (got == wanted).float().mean() > (0 if dtype is torch.float32 else 0.99)


def test_comfy_files_are_diffusers(tmp_path, base, merged):
    """The spelling that Lightricks' trainer gives to ComfyUI, read by diffusers' pipeline."""
    path = tiny_lora.save(tmp_path / "lora.safetensors", spell="diffusion_model.{}".format)
    pipeline = tiny_ltx.build("0.9.0")
    pipeline.load_lora_weights(str(path), adapter_name="it")
    pipeline.set_adapters(["it"], [0.6])
    assert_same_velocity(merged(base(), (path, 0.6)), pipeline.transformer)


def test_a_folder_that_peft_saved(tmp_path, base, merged):
    """Its alpha stands in adapter_config.json beside the file."""
    model = tiny_lora.trained(lora_alpha=10)
    state = {f"base_model.model.{name}": value for name, value in get_peft_model_state_dict(model).items()}
    save_file(state, tmp_path / "adapter_model.safetensors")
    told = json.dumps(model.peft_config["default"].to_dict(), default=list)
    (tmp_path / "adapter_config.json").write_text(told)
    assert_same_velocity(merged(base(), (tmp_path / "adapter_model.safetensors", 1.0)), model)
