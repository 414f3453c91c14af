"""The text encoder against transformers' T5 on the same weights."""

import pytest
import tiny_ltx
import torch
from closeness import FP32, relative_l2
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.folder import component_tensors, read_config
from vidrt_reference.checkpoint.load import load
from vidrt_reference.relative_positions import RelativePositions
from vidrt_reference.text_encoder import TIED_NAMES, TextEncoder, TextEncoderParams

CONFIG = {"vocab_size": 100, **tiny_ltx.TEXT_ENCODER}


def reference(oracle):
    module = TextEncoder(TextEncoderParams.from_config(oracle.config.to_dict())).eval()
    state = {name: value for name, value in oracle.state_dict().items() if name not in TIED_NAMES}
    module.load_state_dict(state, strict=True)
    return module


@torch.no_grad()
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("length", [1, 7, 128, 300])
@pytest.mark.parametrize("changes", [{}, {"num_layers": 3, "num_heads": 3, "relative_attention_num_buckets": 16}])
def test_embeddings_are_transformers(batch, length, changes):
    """The embeddings are transformers' at any length, below and beyond the furthest relative position."""
    oracle = tiny_ltx.text_encoder(**changes)
    tokens = torch.randint(0, 100, (batch, length), generator=torch.Generator().manual_seed(length))
    assert relative_l2(reference(oracle)(tokens), oracle(tokens).last_hidden_state) <= FP32


@pytest.mark.parametrize(("buckets", "max_distance"), [(32, 128), (8, 16), (64, 100)])
def test_buckets_are_transformers(buckets, max_distance):
    """Every pair of tokens falls in the bucket that transformers' formula says."""
    from transformers.models.t5.modeling_t5 import T5Attention

    length = 3 * max_distance
    distance = torch.arange(length) - torch.arange(length)[:, None]
    wanted = T5Attention._relative_position_bucket(distance, num_buckets=buckets, max_distance=max_distance)
    tokens = torch.zeros(1, length, 1)
    got = RelativePositions(buckets=buckets, max_distance=max_distance)(tokens)
    assert torch.equal(got, wanted)


@torch.no_grad()
@pytest.mark.parametrize("duplicated", [False, True])
def test_loads_what_transformers_saved(tmp_path, duplicated):
    """A saved folder loads strictly, also one of the older files that hold the token embeddings under both names."""
    oracle = tiny_ltx.text_encoder()
    oracle.save_pretrained(tmp_path)
    if duplicated:
        from safetensors.torch import save_file

        state = {name: value.clone() for name, value in oracle.state_dict().items()}
        assert set(TIED_NAMES) < set(state)
        save_file(state, tmp_path / "model.safetensors")
    with torch.device("meta"):
        module = TextEncoder(TextEncoderParams.from_config(read_config(tmp_path)))
    load(module, component_tensors(tmp_path), optional=TIED_NAMES)
    tokens = torch.tensor([[3, 14, 15, 1]])
    assert relative_l2(module(tokens), oracle(tokens).last_hidden_state) <= FP32


@torch.no_grad()
def test_defaults_are_xxl():
    """The defaults are T5-v1.1-XXL's, with as many tensors as its encoder."""
    with torch.device("meta"):
        module = TextEncoder(TextEncoderParams())
    assert len(module.state_dict()) == 1 + 24 * 9 + 1 + 1
    assert module.shared.weight.shape == (32128, 4096)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"feed_forward_proj": "relu"}, "'gated-gelu' at 'feed_forward_proj', but has 'relu'"),
        ({"feed_forward_proj": "gated-silu"}, "'gated-gelu' at 'feed_forward_proj', but has 'gated-silu'"),
        ({"model_type": "umt5"}, "'t5' at 'model_type', but has 'umt5'"),
        ({"quantization_config": {"load_in_8bit": True}}, "at 'quantization_config'"),
        ({"d_model": "x"}, "a positive integer at 'd_model', but has 'x'"),
        ({"num_layers": 0}, "a positive integer at 'num_layers', but has 0"),
        ({"relative_attention_num_buckets": 6}, "a multiple of 4 buckets"),
        ({"relative_attention_max_distance": 8}, "a maximum distance beyond a quarter"),
    ],
)
def test_refuses_what_it_does_not_implement(change, told):
    """A value that is of the wrong type or not implemented is refused in one sentence that quotes it."""
    with pytest.raises(CheckpointError, match=told):
        TextEncoderParams.from_config({**CONFIG, **change})


@pytest.mark.parametrize(
    "key", ["vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads", "feed_forward_proj"]
)
def test_refuses_a_missing_value(key):
    """A width that is not there is not guessed."""
    config = {name: value for name, value in CONFIG.items() if name != key}
    with pytest.raises(CheckpointError, match=f"at '{key}', but has nothing"):
        TextEncoderParams.from_config(config)
