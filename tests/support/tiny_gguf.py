"""A tiny T5 encoder as a GGUF file that the gguf package writes, and as transformers computes it on the same weights.

gguf quantises the plain types itself. Super-blocks of the K types, for which it has no encoder, are drawn: any bytes
are a valid block once their scales in fp16 are small numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import transformers
from gguf import MODEL_ARCH, GGMLQuantizationType, GGUFWriter, get_tensor_name_map
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAIN = ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
K_TYPES = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")
QUANTISED = tuple(kind for kind in (*PLAIN, *K_TYPES) if kind.startswith("Q"))
# rows hold whole super-blocks, of 256
CONFIG = {
    "vocab_size": 96,
    "d_model": 256,
    "d_kv": 64,
    "d_ff": 512,
    "num_layers": 2,
    "num_heads": 4,
    "feed_forward_proj": "gated-gelu",
}
# a tiny LTX-Video whose text encoder has rows of super-blocks
WIDE = {
    "transformer": {"caption_channels": CONFIG["d_model"]},
    "text_encoder": {name: CONFIG[name] for name in ("d_model", "d_kv", "d_ff", "num_heads")},
}
# where a super-block has its scales in fp16, how large they are, and how many times that its minimums'
_SUPER = {
    "Q2_K": (80, 3e-3, 1.5),
    "Q3_K": (108, 8e-4, None),
    "Q4_K": (0, 2e-4, 7.5),
    "Q5_K": (0, 1e-4, 15.5),
    "Q6_K": (208, 4e-5, None),
}


def build() -> transformers.T5EncoderModel:
    """Build a small encoder in which no norm is all ones, and no embedding so large that nothing else counts."""
    torch.manual_seed(7)
    model = transformers.T5EncoderModel(transformers.T5Config(**CONFIG)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.copy_(torch.rand_like(parameter) + 0.5)
        model.shared.weight.mul_(0.1)
    return model


def save(
    path: Path, kind: str | Callable[[str], str], model: transformers.T5EncoderModel | None = None,
    *, whole: bool = False, metadata: dict[str, int] | None = None,
) -> transformers.T5EncoderModel:  # fmt: skip
    """Write the file; return transformers' encoder on the weights that are in it.

    Args:
        path: where to.
        kind: the type of every matrix but the position bias, or a function of GGUF's name for it.
        model: what to write, which then has the weights of the file; a small one by default.
        whole: write it as a file of all of T5, with a decoder's tensor in it.
        metadata: numbers to write beside those of the model.
    """
    model = model or build()
    writer = GGUFWriter(path, "t5" if whole else "t5encoder")
    _add_metadata(writer, model.config)
    for key, value in (metadata or {}).items():
        writer.add_uint32(key, value)
    names = get_tensor_name_map(MODEL_ARCH.T5ENCODER, model.config.num_layers)
    rng = np.random.default_rng(7)
    for name, parameter in model.named_parameters():
        own = names.get_name(name, try_suffixes=(".weight",))
        is_matrix = parameter.ndim == 2 and "rel_b" not in own
        chosen = "F32" if not is_matrix else kind if isinstance(kind, str) else kind(own)
        _add(writer, own, parameter, chosen, rng)
    if whole:
        writer.add_tensor("dec.blk.0.attn_q.weight", np.ones((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def draw_blocks(kind: str, rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Any bytes as super-blocks of a K type, with scales of either sign for which numbers are about 0.05."""
    count, nbytes = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    blocks = rng.integers(0, 256, (rows, columns // count, nbytes), dtype=np.uint8)
    at, size, least = _SUPER[kind]
    scales = (size * rng.uniform(0.5, 1.5, blocks.shape[:2]) * rng.choice([-1, 1], blocks.shape[:2])).astype(np.float16)
    blocks[..., at : at + 2] = scales[..., None].view(np.uint8)
    if least is not None:
        blocks[..., at + 2 : at + 4] = (least * scales).astype(np.float16)[..., None].view(np.uint8)
    return blocks.reshape(rows, -1)


def _add_metadata(writer: GGUFWriter, config: transformers.T5Config) -> None:
    writer.add_embedding_length(config.d_model)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_block_count(config.num_layers)
    writer.add_head_count(config.num_heads)
    writer.add_key_length(config.d_kv)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_relative_attn_buckets_count(32)
    writer.add_token_list(["a", "b", "ü"])
    writer.add_token_scores([0.0, -1.0, -2.0])


def _add(writer: GGUFWriter, name: str, parameter: torch.nn.Parameter, kind: str, rng: np.random.Generator) -> None:
    """Add a tensor, and leave in the parameter what the file has of it."""
    value, number = parameter.detach().numpy(), GGMLQuantizationType[kind]
    data = draw_blocks(kind, *value.shape, rng) if kind in K_TYPES else quantize(value, number)
    writer.add_tensor(name, data, raw_dtype=number)
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(dequantize(data, number), np.float32)))
