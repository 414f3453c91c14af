"""A T5 encoder in a GGUF file against transformers on what gguf decodes."""

import pytest
import tiny_gguf
import torch
from closeness import relative_l2
from gguf import MODEL_ARCH, get_tensor_name_map
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.gguf.header import read_gguf_header
from vidrt_reference.checkpoint.gguf.t5 import quantised_text_encoder, read_gguf_text_encoder
from vidrt_reference.checkpoint.load import load, match
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.text_encoder import TextEncoder, TextEncoderParams

KINDS = {
    "attn_q": "Q4_0", "attn_k": "Q4_K", "attn_v": "Q6_K", "attn_o": "Q3_K", "ffn_gate": "Q5_K", "ffn_up": "Q2_K",
    "ffn_down": "Q5_1", "token_embd": "F16",
}  # fmt: skip


def mixed(name):
    """A type for each of a block's matrices, as files of K types mix them."""
    return KINDS[name.split(".")[-2]]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t5.gguf"


def shapes(encoder):
    """The shape of each parameter and buffer of the encoder in blocks."""
    module = quantised_text_encoder(encoder.params, encoder.forms)
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def embedded(module, model):
    """What both give for two prompts."""
    ids = torch.randint(96, (2, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return module(ids), model(input_ids=ids).last_hidden_state


@pytest.mark.parametrize("kind", [*tiny_gguf.PLAIN, "Q6_K", mixed], ids=lambda kind: getattr(kind, "__name__", kind))
def test_numbers_make_the_encoder_that_transformers_is(path, kind):
    """The weights as numbers load into the plain encoder with no key left over, and give what transformers gives."""
    model = tiny_gguf.save(path, kind)
    encoder = read_gguf_text_encoder(path)
    with torch.device("meta"):
        module = TextEncoder(encoder.params)
    load(module, encoder.numbers)
    found, wanted = embedded(module.eval(), model)
    assert relative_l2(found, wanted) < 1e-6


@pytest.mark.parametrize("kind", [*tiny_gguf.QUANTISED, mixed], ids=lambda kind: getattr(kind, "__name__", kind))
def test_blocks_make_the_encoder_that_transformers_is(path, kind):
    """Left in its blocks it gives the same."""
    model = tiny_gguf.save(path, kind)
    encoder = read_gguf_text_encoder(path)
    module = quantised_text_encoder(encoder.params, encoder.forms)
    match(shapes(encoder), encoder.tensors, what="text encoder")
    module.load_state_dict({name: read_tensor(stored) for name, stored in encoder.tensors.items()})
    found, wanted = embedded(module.eval(), model)
    assert relative_l2(found, wanted) < 1e-5
    kept = {name for name in encoder.tensors if name.endswith(".low")}
    assert len(kept) == 14 + (kind is not mixed)  # seven matrices of each block, and the table of tokens


def test_widths_are_read_from_the_file(path):
    """Every width, the depth and the norms' eps."""
    tiny_gguf.save(path, "Q8_0")
    assert read_gguf_text_encoder(path).params == TextEncoderParams(
        vocab_size=96, d_model=256, d_kv=64, d_ff=512, num_layers=2, num_heads=4
    )


def test_the_table_knows_every_name_that_gguf_gives(path):
    """No tensor of an encoder that the gguf package names keeps a name of its own."""
    names = get_tensor_name_map(MODEL_ARCH.T5ENCODER, 2)
    model = tiny_gguf.save(path, "Q8_0")
    theirs = {names.get_name(name, try_suffixes=(".weight",)) for name, _ in model.named_parameters()}
    assert theirs == read_gguf_header(path).tensors.keys()
    ours = read_gguf_text_encoder(path).numbers.keys()
    assert ours == {name for name, _ in model.named_parameters()}


def test_a_file_of_all_of_t5_gives_its_encoder(path):
    """The decoder is passed over, and nothing else."""
    tiny_gguf.save(path, "Q8_0", whole=True)
    assert "dec.blk.0.attn_q.weight" in read_gguf_header(path).tensors
    encoder = read_gguf_text_encoder(path)
    assert not [name for name in encoder.tensors if "dec" in name]
    match(shapes(encoder), encoder.tensors, what="text encoder")


def edited(path, *changes):
    """Replace bytes of the file by others, as many."""
    content = path.read_bytes()
    for old, new in changes:
        assert content.count(old) >= 1
        assert len(old) == len(new)
        content = content.replace(old, new)
    path.write_bytes(content)


FAULTS = {
    "another architecture": ([(b"t5encoder", b"llamallam")], "its architecture is 'llamallam'"),
    "no gate": ([(b"enc.blk.0.ffn_gate", b"enc.blk.0.ffn_gone")], "whose feed-forward is gated"),
    "no table": ([(b"token_embd", b"token_embX")], "a matrix token_embd.weight"),
    "no position bias": ([(b"attn_rel_b", b"attn_rel_X")], "a matrix enc.blk.0.attn_rel_b.weight"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_t5_v11_is_refused(path, fault):
    """In one sentence, with the file's name."""
    changes, wanted = FAULTS[fault]
    tiny_gguf.save(path, "Q8_0")
    edited(path, *changes)
    with pytest.raises(CheckpointError, match=wanted) as raised:
        read_gguf_text_encoder(path)
    assert str(path) in str(raised.value)


def test_metadata_that_contradicts_the_tensors_is_refused(path):
    """A head count that the position bias does not have."""
    tiny_gguf.save(path, "Q8_0", metadata={"t5encoder.attention.value_length": 64})
    read_gguf_text_encoder(path)
    count = b"t5encoder.attention.head_count" + (4).to_bytes(4, "little")
    edited(path, (count + (4).to_bytes(4, "little"), count + (8).to_bytes(4, "little")))
    with pytest.raises(CheckpointError, match=r"t5encoder\.attention\.head_count .* to be 4, .* but it is 8"):
        read_gguf_text_encoder(path)


def test_tensors_that_are_missing_or_strange_are_named(path):
    """A block's norm under another name is both missing and left over."""
    tiny_gguf.save(path, "Q8_0")
    edited(path, (b"enc.blk.1.attn_norm", b"enc.blk.1.attn_morn"))
    encoder = read_gguf_text_encoder(path)
    with pytest.raises(CheckpointError, match=r"1 missing .*layer\.0\.layer_norm.* 1 left over .*attn_morn"):
        match(shapes(encoder), encoder.tensors, what="text encoder")
