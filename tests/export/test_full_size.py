"""LTX-Video at its published sizes: whole graphs without weights, and two layers of 13B with them."""

import gc
import io
from functools import partial

import diffusers
import numpy as np
import pytest
import tiny_bundles
import tiny_ltx
import torch
from closeness import relative_l2
from vidrt_engines import components
from vidrt_export.tracing.trace import trace
from vidrt_reference.ltx_video.latent_upsampler import LatentUpsampler, LatentUpsamplerParams
from vidrt_reference.ltx_video.rope import rope_tables
from vidrt_reference.ltx_video.transformer import Transformer, TransformerParams

pytestmark = pytest.mark.slow

WIDE = {"num_attention_heads": 32, "attention_head_dim": 128, "cross_attention_dim": 4096}
WIDTH = 4096
GRID = (2, 3, 4)  # latent frames, rows, columns
TOKENS, TEXT = 24, 5


def names_of(graph):
    """The graph's weights, which have no values, and how often each operator is there."""
    weights = {name for name, value in graph.graph.initializers.items() if value.const_value is None}
    operators = [node.op_type for node in graph.graph.all_nodes()]
    return weights, {name: operators.count(name) for name in set(operators)}


def test_all_48_layers_of_13b_are_traced():
    """The graph has each of its 26 GB of weights by name and none of their bytes, and every attention as one node."""
    params = TransformerParams(**WIDE, num_layers=48)
    signature = components.transformer(
        in_channels=128, out_channels=128, text_width=4096, rope_width=params.inner_dim, layers=48
    )
    graph = trace(partial(Transformer, params), signature, {"batch": 2, "text_tokens": 7, "tokens": 60})
    with torch.device("meta"):
        state = Transformer(params).state_dict()
    weights, operators = names_of(graph)
    assert weights == state.keys()
    assert operators["MultiHeadAttention"] == 96
    assert 12.5e9 < sum(value.numel() for value in state.values()) < 13.5e9


def test_the_whole_upsampler_is_traced():
    """So has that of the published upscaler, whose names are diffusers'."""
    signature = components.latent_upsampler(latent_channels=128)
    sizes = {"batch": 2, "latent_frames": 3, "latent_rows": 4, "latent_columns": 5}
    graph = trace(partial(LatentUpsampler, LatentUpsamplerParams()), signature, sizes)
    with torch.device("meta"):
        names = LatentUpsampler(LatentUpsamplerParams()).state_dict().keys()
    weights, operators = names_of(graph)
    assert weights == names
    assert operators["InstanceNormalization"] == 17


@pytest.fixture(scope="module")
def two_layers(tmp_path_factory):
    """A checkpoint whose transformer is two layers of 13B's in bf16, and what diffusers makes of inputs in fp32."""
    folder = tmp_path_factory.mktemp("13b") / "ltx"
    pipeline = tiny_ltx.build("0.9.5", changes={"transformer": {**WIDE, "num_layers": 2}})
    pipeline.transformer.to(torch.bfloat16)
    pipeline.save_pretrained(folder)
    oracle = diffusers.LTXVideoTransformer3DModel.from_pretrained(folder / "transformer", dtype=torch.float32)
    generator = torch.Generator().manual_seed(7)
    latents = torch.randn(1, TOKENS, 8, generator=generator)
    context = torch.randn(1, TEXT, tiny_ltx.TRANSFORMER["caption_channels"], generator=generator)
    with torch.no_grad():
        wanted = oracle(
            latents, context, torch.tensor([700.0]), torch.ones(1, TEXT), *GRID,
            rope_interpolation_scale=(8 / 25, 32, 32),
            return_dict=False,
        )[0]  # fmt: skip
    frames, rows, columns = np.meshgrid(*map(np.arange, GRID), indexing="ij")
    coordinates = np.stack([frames * 8 / 25, rows * 32, columns * 32], -1).reshape(-1, 3).astype(np.float32)
    cos, sin = rope_tables(torch.from_numpy(coordinates), WIDTH)
    given = {
        "latents": latents, "context": context, "timestep": torch.tensor([[700.0]]), "rope_cos": cos, "rope_sin": sin,
        "perturbation": torch.zeros(1, 2, 3),
    }  # fmt: skip
    return folder, {name: value.numpy() for name, value in given.items()}, wanted


def test_two_layers_of_13b_are_diffusers(two_layers, tmp_path):
    """Their engine in onnxruntime, from weights in bf16, gives diffusers' velocity in fp32."""
    folder, given, wanted = two_layers
    tiny_bundles.build(folder, tmp_path, components=("transformer",))
    gc.collect()
    session = tiny_bundles.open_graph(tiny_bundles.graph_path(tmp_path, "transformer"))
    (got,) = session.run(None, given)
    assert relative_l2(torch.from_numpy(got), wanted) <= 1e-5


def test_two_layers_of_13b_are_compiled(two_layers, tmp_path):
    """TensorRT for RTX takes them in bf16, after a look at their values; every attention is fused."""
    said = io.StringIO()
    tiny_bundles.build(
        two_layers[0], tmp_path, said=said, components=("transformer",), backends=(tiny_bundles.RTX,),
        resolutions=("64x64:64x96:96x96",), frames=("9",),
    )  # fmt: skip
    engine = tiny_bundles.engine_of(tmp_path, "transformer")
    assert (engine.backend, engine.precision) == (tiny_bundles.RTX, "bf16")
    assert "4 of 4 attentions fused" in said.getvalue()
    assert said.getvalue().count("from fp32 at") == 3
    assert engine.files[0].bytes > 1e9
