"""Embeddings and latents as safetensors files: what fits is read, what does not is one sentence."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from vidrt.errors import RequestError
from vidrt.pipelines.latents import latent_grid, pack
from vidrt.tensor_files import fit_latents, read_embeddings, read_latents, read_tensors


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.safetensors"


@pytest.fixture
def save(path):
    def write(**tensors):
        save_file(tensors, path)
        return path

    return write


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(2, 3), (), (0,), (1, 0, 2)], ids=str)
def test_every_type_is_read_to_the_bit(save, dtype, shape):
    """Values and shape come back exactly, bf16 widened to fp32, scalars and empty tensors included."""
    tensor = (drawn(*shape) * 3).to(dtype)
    got = read_tensors(save(x=tensor))["x"]
    wanted = (tensor.float() if dtype is torch.bfloat16 else tensor).numpy()
    assert got.dtype == wanted.dtype
    assert got.shape == wanted.shape
    assert np.array_equal(got, wanted)


def test_a_type_that_is_not_known_is_named(save, sentence):
    """A tensor in eight-bit floats is refused by its name and type."""
    with pytest.raises(RequestError, match=r"^x in .* has the type F8_E4M3; save it as F32\.$") as error:
        read_tensors(save(x=drawn(3).to(torch.float8_e4m3fn)))
    sentence(error)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("mask_dtype", [torch.int64, torch.bool, torch.float32])
def test_masks_cut_out_what_does_not_count(save, dtype, mask_dtype):
    """Tokens that a mask leaves out are gone, holes in its middle included, each side by its own mask."""
    positive, negative = drawn(1, 5, 4).to(dtype), drawn(1, 3, 4, seed=1).to(dtype)
    got = read_embeddings(
        save(
            prompt_embeds=positive,
            prompt_attention_mask=torch.tensor([[1, 0, 1, 1, 0]]).to(mask_dtype),
            negative_prompt_embeds=negative,
            negative_prompt_attention_mask=torch.tensor([[0, 1, 1]]).to(mask_dtype),
        )
    )
    assert np.array_equal(got.positive, positive[:, [0, 2, 3]].float().numpy())
    assert np.array_equal(got.negative, negative[:, [1, 2]].float().numpy())
    assert got.positive.dtype == got.negative.dtype == np.float32
    assert got.positive.flags.c_contiguous


def test_without_masks_every_token_counts(save):
    """A mask may be absent, and so may the negative embeddings."""
    positive = drawn(1, 5, 4)
    got = read_embeddings(save(prompt_embeds=positive, anything_else=drawn(2)))
    assert np.array_equal(got.positive, positive.numpy())
    assert got.negative is None


BAD_EMBEDDINGS = {
    "another tensor": ({"x": drawn(1)}, "should hold prompt_embeds, and has x"),
    "nothing": ({}, "should hold prompt_embeds, and has nothing"),
    "only negative": ({"negative_prompt_embeds": drawn(1, 2, 4)}, "should hold prompt_embeds"),
    "no batch": ({"prompt_embeds": drawn(5, 4)}, r"should have the shape \(1, tokens, width\), not \(5, 4\)"),
    "two prompts": ({"prompt_embeds": drawn(2, 5, 4)}, r"not \(2, 5, 4\)"),
    "no tokens": ({"prompt_embeds": drawn(1, 0, 4)}, "a token"),
    "a long mask": (
        {"prompt_embeds": drawn(1, 5, 4), "prompt_attention_mask": torch.ones(1, 6)},
        r"prompt_attention_mask in .* should be a mask of shape \(1, 5\)",
    ),
    "a flat mask": ({"prompt_embeds": drawn(1, 5, 4), "prompt_attention_mask": torch.ones(5)}, r"shape \(1, 5\)"),
    "an empty mask": (
        {"prompt_embeds": drawn(1, 5, 4), "prompt_attention_mask": torch.zeros(1, 5)},
        "that keeps a token",
    ),
    "no number": ({"prompt_embeds": torch.full((1, 2, 4), torch.nan)}, "infinite or no numbers"),
    "infinity": (
        {"prompt_embeds": drawn(1, 2, 4), "negative_prompt_embeds": torch.full((1, 2, 4), torch.inf)},
        "^negative_prompt_embeds in .* infinite",
    ),
    "overflow": ({"prompt_embeds": torch.full((1, 2, 4), 1e300, dtype=torch.float64)}, "infinite"),
}


@pytest.mark.parametrize("case", BAD_EMBEDDINGS)
def test_embeddings_that_do_not_fit_are_refused(save, case, sentence):
    """Embeddings that are missing, of another shape, masked away or no numbers are one sentence that names them."""
    tensors, told = BAD_EMBEDDINGS[case]
    with pytest.raises(RequestError, match=told) as error:
        read_embeddings(save(**tensors))
    sentence(error)


@pytest.mark.parametrize("read", [read_embeddings, read_latents])
def test_a_damaged_file_is_told_so(save, read, sentence):
    """A file cut off anywhere, or of another kind, is no whole safetensors file."""
    whole = save(prompt_embeds=drawn(1, 5, 4), initial_latents=drawn(1, 8, 2)).read_bytes()
    path = save(prompt_embeds=drawn(1, 5, 4))
    for content in (b"", whole[:4], whole[:20], whole[:-1], b"PK\x03\x04" + bytes(100), whole + b"more"):
        path.write_bytes(content)
        with pytest.raises(RequestError, match=r"file\.safetensors is no whole safetensors file: ") as error:
            read(path)
        sentence(error)


@pytest.mark.parametrize("read", [read_embeddings, read_latents])
def test_a_file_that_is_not_there_is_told_so(tmp_path, read, sentence):
    """A missing file or a folder is told with the system's reason."""
    with pytest.raises(RequestError, match=r"none cannot be read: No such file or directory\.$") as error:
        read(tmp_path / "none")
    sentence(error)
    with pytest.raises(RequestError, match=r"cannot be read: Is a directory\.$"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"latents": drawn(1, 8, 2)}, "should hold initial_latents, and has latents"),
        ({"initial_latents": torch.full((1, 8, 2), torch.nan)}, "infinite or no numbers"),
    ],
)
def test_latents_that_are_none_are_refused(save, tensors, told):
    """Latents of another name, or that are no numbers, are refused."""
    with pytest.raises(RequestError, match=told):
        read_latents(save(**tensors))


def test_latents_may_be_packed_or_whole(save, make_settings):
    """Tokens (B, S, C) and a grid (B, C, F, H, W) of the same latents mean the same."""
    grid = latent_grid(make_settings(), 64, 96, 9)
    whole = drawn(2, 3, 2, 2, 3)
    from_whole = fit_latents(read_latents(save(initial_latents=whole)), grid, 2, 3)
    assert np.array_equal(from_whole, pack(whole.numpy()))
    from_packed = fit_latents(read_latents(save(initial_latents=torch.from_numpy(from_whole))), grid, 2, 3)
    assert np.array_equal(from_packed, from_whole)
    assert from_packed.dtype == np.float32


def test_latents_in_bf16_are_widened(save):
    """Latents that were saved in bf16 are read as fp32."""
    latents = drawn(1, 8, 2).bfloat16()
    assert np.array_equal(read_latents(save(initial_latents=latents)), latents.float().numpy())


@pytest.mark.parametrize(
    "shape", [(1, 12, 3), (2, 11, 3), (2, 12, 4), (2, 3, 2, 3, 2), (2, 36), (), (2, 3, 12)], ids=str
)
def test_latents_of_another_request_are_refused(make_settings, shape, sentence):
    """Latents of another size, batch or width say which two shapes would fit."""
    grid = latent_grid(make_settings(), 64, 96, 9)
    with pytest.raises(RequestError) as error:
        fit_latents(np.zeros(shape, np.float32), grid, 2, 3)
    assert sentence(error) == (f"The initial latents should have the shape (2, 12, 3) or (2, 3, 2, 2, 3), not {shape}.")
