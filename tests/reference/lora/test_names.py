"""One module, spelled in every way that is known of LoRA files."""

import pytest
import tiny_lora
import tiny_ltx
import torch
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.lora.modules import module_names, resolve, spellings
from vidrt_reference.ltx_video.original.names import TRANSFORMER_PARTS
from vidrt_reference.ltx_video.original.transformer import transformer_tensors

SPELLINGS = {
    "diffusers": "transformer.{}".format,
    "DiffSynth": str,
    "peft": "base_model.model.{}".format,
    "peft around a pipeline's module": "base_model.model.transformer.{}".format,
    "Lightricks' trainer": "diffusion_model.{}".format,
    "a checkpoint's own prefix": "model.diffusion_model.{}".format,
    "official": tiny_lora.official,
    "kohya": tiny_lora.kohya,
    "kohya, official": lambda name: tiny_lora.kohya(tiny_lora.official(name).removeprefix("diffusion_model.")),
    "ComfyUI in a wrapper": lambda name: tiny_lora.kohya(f"transformer.{name}"),
    "LyCORIS": lambda name: tiny_lora.kohya(name).replace("lora_unet_", "lycoris_"),
}
WORDS = {
    "peft": ("lora_A", "lora_B"),
    "peft's own state": ("lora_A.default", "lora_B.default"),
    "kohya": ("lora_down", "lora_up"),
    "diffusers of old": ("lora.down", "lora.up"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("words", WORDS)
def test_every_spelling_means_the_same(tmp_path, base, merged, spelling, words):
    """The merged weights are bit for bit those of the file that diffusers reads."""
    alphas = {f"{tiny_lora.BLOCK}.attn1.to_q": 3.0}
    options = {"spell": SPELLINGS[spelling], "words": WORDS[words], "alphas": alphas}
    plain = tiny_lora.save(tmp_path / "plain.safetensors", alphas=alphas)
    other = tiny_lora.save(tmp_path / "other.safetensors", **options)
    tensors = base()
    wanted, got = merged(tensors, (plain, 0.9)), merged(tensors, (other, 0.9))
    for name, tensor in wanted.items():
        assert torch.equal(read_tensor(got[name]), read_tensor(tensor)), name
    assert sum(tensor.recipe is not None for tensor in got.values()) == len(tiny_lora.RANKS)


def test_no_two_modules_are_spelled_alike():
    """Every module of the transformer, norms included, is found by each of its spellings."""
    modules = module_names(tiny_ltx.transformer().state_dict())
    known = spellings(modules, TRANSFORMER_PARTS)
    assert len({module.replace(".", "_") for module in modules}) == len(modules)
    for module in modules:
        for spell in SPELLINGS.values():
            assert resolve(spell(module), known) == module
    assert resolve("diffusion_model.transformer_blocks.1.attn2.q_norm", known) == "transformer_blocks.1.attn2.norm_q"
    assert resolve("diffusion_model.transformer_blocks.2.attn2.q_norm", known) is None


def test_official_names_are_those_of_official_files(base):
    """What a LoRA calls a part, a checkpoint calls it too."""
    theirs = {ours: their for their, ours in TRANSFORMER_PARTS.items()}
    tensors = base()
    original = {
        ".".join(theirs.get(word, word) for word in name.split(".")): tensor for name, tensor in tensors.items()
    }
    assert original.keys() != tensors.keys()
    assert transformer_tensors(original) == tensors
