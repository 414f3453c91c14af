"""LoRA files that cannot be merged, each refused in one sentence that names the first fault."""

import json
import re

import pytest
import tiny_lora
import torch
from safetensors.torch import save_file
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.lora.adapter import read_adapter
from vidrt_reference.lora.config import METADATA

Q = f"transformer.{tiny_lora.BLOCK}.attn1.to_q"
DOWN, UP = torch.ones(4, 32), torch.ones(32, 4)
GOOD = {f"{Q}.lora_A.weight": DOWN, f"{Q}.lora_B.weight": UP}
STRANGE = "transformer.transformer_blocks.28.attn1.to_q"

CASES = {
    "half of a pair": ({f"{Q}.lora_A.weight": DOWN}, "to_q has its down matrix and no up matrix"),
    "the other half": ({f"{Q}.lora_B.weight": UP}, "to_q has its up matrix and no down matrix"),
    "an alpha alone": ({**GOOD, "proj_in.alpha": torch.tensor(2.0)}, "proj_in has its alpha and no down matrix"),
    "a bias alone": ({f"{Q}.lora_B.bias": torch.ones(32)}, "to_q has its up bias and no up matrix"),
    "a module that is not there": (
        {**GOOD, f"{STRANGE}.lora_A.weight": DOWN.clone(), f"{STRANGE}.lora_B.weight": UP.clone()},
        r"no module for 1 of the file's 2 \(transformer.transformer_blocks.28.attn1.to_q\)",
    ),
    "another model alone": (
        {"text_encoder.a.lora_A.weight": DOWN, "text_encoder.a.lora_B.weight": UP},
        "text_encoder.a is of the text encoder",
    ),
    "another model as well": (
        {**GOOD, "lora_te1_a.lora_down.weight": DOWN.clone(), "lora_te1_a.lora_up.weight": UP.clone()},
        "lora_te1_a is of the text encoder",
    ),
    "ranks that differ": (
        {f"{Q}.lora_A.weight": DOWN, f"{Q}.lora_B.weight": torch.ones(32, 5)},
        r"matrices of one rank for transformer_blocks.0.attn1.to_q in FILE, but they are \[32, 5\] and \[4, 32\]",
    ),
    "no rank": (
        {f"{Q}.lora_A.weight": torch.ones(0, 32), f"{Q}.lora_B.weight": torch.ones(32, 0)}, "matrices of one rank",
    ),
    "convolutions": (
        {f"{Q}.lora_A.weight": torch.ones(4, 32, 1, 1), f"{Q}.lora_B.weight": torch.ones(32, 4, 1, 1)},
        "use a LoRA of linear layers alone",
    ),
    "other inputs": (
        {f"{Q}.lora_A.weight": torch.ones(4, 64), f"{Q}.lora_B.weight": UP},
        r"to_q.weight to be as FILE changes it, \[32, 64\], but the transformer's is \[32, 32\]",
    ),
    "other outputs": (
        {f"{Q}.lora_A.weight": DOWN, f"{Q}.lora_B.weight": torch.ones(64, 4)},
        r"\[64, 32\], but the transformer's is \[32, 32\]",
    ),
    "a norm as a matrix": (
        {f"{Q[:-4]}norm_q.lora_A.weight": DOWN, f"{Q[:-4]}norm_q.lora_B.weight": UP}, r"the transformer's is \[32\]",
    ),
    "a bias of another width": ({**GOOD, f"{Q}.lora_B.bias": torch.ones(31)}, r"to_q.bias .* \[31\]"),
    "a bias that is not there": ({"transformer_blocks.0.attn1.norm_q.diff_b": torch.ones(32)}, "transformer has none"),
    "not a number": ({**GOOD, f"{Q}.lora_A.weight": DOWN * float("nan")}, "to_q.lora_A.weight has others"),
    "infinity": ({**GOOD, f"{Q}.lora_B.weight": UP / 0}, "to_q.lora_B.weight has others"),
    "an alpha that is none": ({**GOOD, f"{Q}.alpha": torch.tensor(float("nan"))}, r"finite alpha .* is \[nan\]"),
    "several alphas": ({**GOOD, f"{Q}.alpha": torch.ones(2)}, "one finite alpha"),
    "whole numbers": ({**GOOD, f"{Q}.lora_A.weight": DOWN.to(torch.int8)}, "lora_A.weight is I8"),
    "two words for one matrix": ({**GOOD, f"{Q}.lora_down.weight": DOWN.clone()}, "one down matrix .* there are two"),
    "two names for one module": (
        {**GOOD, **{key.replace("transformer.", "", 1): value.clone() for key, value in GOOD.items()}},
        "two names mean it",
    ),
    "a difference as well": ({**GOOD, f"{Q}.diff": torch.ones(32, 32)}, "there are both"),
    "DoRA of peft": ({**GOOD, f"{Q}.lora_magnitude_vector.weight": torch.ones(32)}, "is DoRA"),
    "DoRA of kohya": ({**GOOD, f"{Q}.dora_scale": torch.ones(32, 1)}, "is DoRA"),
    "LoKr": ({f"{Q}.lokr_w1": torch.ones(4, 4), f"{Q}.lokr_w2": torch.ones(8, 8)}, "lokr_w1' is LoKr"),
    "LoHa": ({f"{Q}.hada_w1_a": DOWN, f"{Q}.hada_w1_b": UP}, "hada_w1_a' is LoHa"),
    "a checkpoint": ({"transformer_blocks.0.attn1.to_q.weight": torch.ones(32, 32)}, "LoRA matrices alone"),
    "a name without end": ({f"{Q * 100}.alpha": torch.ones(())}, "FILE: .* but one has 4306 characters"),
    "nothing": ({}, "the file is empty"),
}  # fmt: skip
CONFIGS = {
    "{": "is not JSON",
    "[]": "is no object",
    '{"transformer.use_dora": true}': "it is DoRA",
    '{"lora_alpha": "4"}': "has '4' as the alpha 'lora_alpha'",
    '{"lora_alpha": NaN}': "has nan as the alpha",
    '{"alpha_pattern": [1]}': "an alpha_pattern that is no object",
    '{"alpha_pattern": {"to_q": true}}': "has True as the alpha 'to_q'",
    '{"alpha_pattern": {"to_(q": 1}}': r"pattern 'to_\(q', which is no regular expression",
    '{"use_rslora": 1}': "use_rslora that is neither",
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_merged(refused, case):
    """The sentence names the file, the tensor or the module, and what is wrong with it."""
    state, told = CASES[case]
    sentence = refused(state)
    assert re.search(told, sentence), sentence
    assert "FILE" in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize("config", CONFIGS)
def test_metadata_that_mislead(refused, config):
    """What diffusers would have put there is read as strictly as tensors are."""
    sentence = refused(GOOD, {METADATA: config})
    assert re.search(CONFIGS[config], sentence), sentence


def test_good_ones_are_not_refused(tmp_path, base, merged):
    """The file that the cases above spoil, with metadata as diffusers may write them."""
    path = tmp_path / "lora.safetensors"
    for config in (None, "null", "{}", '{"lora_alpha": 4, "r": 4}', json.dumps({"transformer.lora_alpha": 2.5})):
        save_file(GOOD, path, metadata=config and {METADATA: config})
        assert any(tensor.recipe for tensor in merged(base(), (path, -1e-3)).values())


def test_quantised_weights_are_left_alone(base, merged, tmp_path):
    """There is no weight to add to where a checkpoint keeps eight bits without a scale."""
    path = tiny_lora.save(tmp_path / "lora.safetensors")
    with pytest.raises(CheckpointError, match="as floating point, but it is F8_E4M3: merge LoRAs into a checkpoint"):
        merged(base(torch.float8_e4m3fn), (path, 1.0))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(100), b"\x10\0\0\0\0\0\0\0{"])
def test_files_of_other_kinds(tmp_path, content):
    """A pickle, a file cut off, nothing at all."""
    path = tmp_path / "lora.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        read_adapter(path)
