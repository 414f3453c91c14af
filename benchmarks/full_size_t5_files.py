"""T5-XXL files in GGUF with random weights, and what transformers makes of them, a block in memory at a time."""

import sys
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize
from transformers import T5Config, T5EncoderModel

VOCABULARY, WIDTH, HIDDEN, LAYERS, HEADS, BUCKETS = 32128, 4096, 10240, 24, 64, 32
CONFIG = {
    "vocab_size": VOCABULARY, "d_model": WIDTH, "d_kv": WIDTH // HEADS, "d_ff": HIDDEN, "num_heads": HEADS,
    "feed_forward_proj": "gated-gelu",
}  # fmt: skip
# where a block has its scale in fp16, and how large it is beside the weights' standard deviation
TYPES = {"Q8_0": (0, 1 / 74), "Q5_K": (0, 1 / 520)}
MATRICES = {
    "attn_q": ("SelfAttention.q", (WIDTH, WIDTH), 1 / 512),
    "attn_k": ("SelfAttention.k", (WIDTH, WIDTH), 1 / 64),
    "attn_v": ("SelfAttention.v", (WIDTH, WIDTH), 1 / 64),
    "attn_o": ("SelfAttention.o", (WIDTH, WIDTH), 1 / 64),
    "ffn_gate": ("DenseReluDense.wi_0", (HIDDEN, WIDTH), 1 / 64),
    "ffn_up": ("DenseReluDense.wi_1", (HIDDEN, WIDTH), 1 / 64),
    "ffn_down": ("DenseReluDense.wo", (WIDTH, HIDDEN), 1 / 101),
}
NORMS = {"attn_norm": "layer.0.layer_norm", "ffn_norm": "layer.1.layer_norm"}


def file_of(folder: Path, kind: str) -> Path:
    """The file of a type; written if it is not there."""
    path = folder / f"t5-v1_1-xxl-encoder-{kind}.gguf"
    if not path.exists():
        partial = path.with_suffix(".partial")
        _write(partial, kind)
        partial.rename(path)
    return path


def checkpoint(folder: Path) -> Path:
    """A tiny LTX-Video that takes embeddings of T5-XXL's width."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
    import tiny_ltx

    path = folder / "ltx-0.9.5"
    changes = {"transformer": {"caption_channels": WIDTH}, "text_encoder": {"d_model": WIDTH}}
    return path if path.exists() else tiny_ltx.save(path, "0.9.5", changes=changes)


def reference(path: Path, ids: dict[int, torch.Tensor]) -> dict[int, torch.Tensor]:
    """What transformers gives in fp32 for each prompt, on the numbers that gguf decodes."""
    stored = {tensor.name: tensor for tensor in GGUFReader(path).tensors}

    def numbers(name: str) -> torch.Tensor:
        return torch.from_numpy(np.array(dequantize(stored[name].data, stored[name].tensor_type), np.float32))

    table = numbers("token_embd.weight")
    hidden = {count: table[tokens] for count, tokens in ids.items()}
    del table
    model = T5EncoderModel(T5Config(**{**CONFIG, "vocab_size": 8, "num_layers": 1})).eval()
    norm, model.encoder.final_layer_norm = model.encoder.final_layer_norm, torch.nn.Identity()
    norm.weight.data = numbers("enc.output_norm.weight")
    block = model.encoder.block[0]
    block.get_submodule("layer.0.SelfAttention.relative_attention_bias").weight.data = numbers(
        "enc.blk.0.attn_rel_b.weight"
    )
    for layer in range(LAYERS):
        for name, (own, _, _) in MATRICES.items():
            number = 0 if own.startswith("SelfAttention") else 1
            block.get_submodule(f"layer.{number}.{own}").weight.data = numbers(f"enc.blk.{layer}.{name}.weight")
        for name, own in NORMS.items():
            block.get_submodule(own).weight.data = numbers(f"enc.blk.{layer}.{name}.weight")
        with torch.no_grad():
            hidden = {n: model(inputs_embeds=x).last_hidden_state for n, x in hidden.items()}
    with torch.no_grad():
        return {count: norm(x) for count, x in hidden.items()}


def _write(path: Path, kind: str) -> None:
    """Writes one tensor at a time."""
    rng = np.random.default_rng(0)
    writer = GGUFWriter(path, "t5encoder")
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_key_length(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_relative_attn_buckets_count(BUCKETS)
    shapes = _shapes()
    for name, (shape, deviation) in shapes.items():
        own = GGMLQuantizationType[kind] if deviation else GGMLQuantizationType.F32
        count, nbytes = GGML_QUANT_SIZES[own]
        stored = (*shape[:-1], shape[-1] // count * nbytes) if deviation else shape
        dtype = np.dtype(np.uint8 if deviation else np.float32)
        writer.add_tensor_info(name, stored, dtype, int(np.prod(stored)) * dtype.itemsize, raw_dtype=own)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, (shape, deviation) in shapes.items():
        writer.write_tensor_data(_blocks(kind, shape, deviation, rng) if deviation else _floats(name, shape, rng))
    writer.close()


def _shapes() -> dict[str, tuple[tuple[int, ...], float | None]]:
    """Each tensor's shape, and for a matrix the standard deviation of its numbers."""
    found = {"token_embd.weight": ((VOCABULARY, WIDTH), 1.0), "enc.output_norm.weight": ((WIDTH,), None)}
    found["enc.blk.0.attn_rel_b.weight"] = ((BUCKETS, HEADS), None)
    for layer in range(LAYERS):
        found |= {f"enc.blk.{layer}.{name}.weight": ((WIDTH,), None) for name in NORMS}
        found |= {f"enc.blk.{layer}.{name}.weight": (shape, size) for name, (_, shape, size) in MATRICES.items()}
    return found


def _blocks(kind: str, shape: tuple[int, ...], deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Blocks of any bytes, with scales that give their numbers this standard deviation, roughly."""
    count, nbytes = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    blocks = rng.integers(0, 256, (shape[0], shape[1] // count, nbytes), dtype=np.uint8)
    at, size = TYPES[kind]
    scales = (deviation * size * rng.choice([-1, 1], blocks.shape[:2])).astype(np.float16)
    blocks[..., at : at + 2] = scales[..., None].view(np.uint8)
    if kind.endswith("_K"):  # what is taken off makes up for numbers that are none below zero
        blocks[..., at + 2 : at + 4] = (15.5 * scales).astype(np.float16)[..., None].view(np.uint8)
    return blocks.reshape(shape[0], -1)


def _floats(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    values = rng.uniform(0.5, 1.5, shape) if "norm" in name else rng.normal(size=shape)
    return values.astype(np.float32)
