"""Engines in int8: what is rounded, what stays, and what onnxruntime makes of it."""

import io

import onnx_ir as ir
import onnxruntime
import pytest
import tiny_bundles
import torch
from closeness import relative_l2
from safetensors.torch import load_file
from vidrt_engines.components import Signature, float_tensor
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import Precision
from vidrt_export.tracing.trace import trace
from vidrt_export.writing.graph import attach_weights
from vidrt_export.writing.weights import Placed
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.int8 import Int8Linear, in_whole_numbers

COLUMNS, ROWS = 96, 64
SIGNATURE = Signature(
    inputs=(float_tensor("x", "batch", "tokens", COLUMNS),), outputs=(float_tensor("y", "batch", "tokens", ROWS),)
)


@pytest.fixture(scope="module")
def bundle(checkpoints, tmp_path_factory):
    """A bundle of the text encoder, built in fp32 and then in int8."""
    folder = tmp_path_factory.mktemp("int8") / "bundle"
    tiny_bundles.build(checkpoints("0.9.0"), folder, components=("text_encoder",))
    tiny_bundles.build(checkpoints("0.9.0"), folder, components=("text_encoder",), precision="int8")
    return folder


def matrices():
    """What would go beyond 16 bits if neighbours were rounded without regard to each other, and what would not."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(ROWS, COLUMNS, generator=generator)
    return {"noise": noise, "all alike": torch.full((ROWS, COLUMNS), 0.5), "extremes": noise.sign() * 0.3}


@pytest.mark.parametrize("name", matrices())
def test_onnxruntime_multiplies_the_same_numbers(name, tmp_path):
    """Its product is the reference's, whichever instructions this CPU has."""
    layer = Int8Linear(COLUMNS, ROWS, bias=True)
    numbers, layer.scales = in_whole_numbers(matrices()[name])
    layer.numbers = numbers.T.contiguous()
    layer.bias.data = torch.linspace(-1, 1, ROWS)
    x = torch.rand(2, 33, COLUMNS, generator=torch.Generator().manual_seed(1)) + 0.5  # all near the largest
    graph = onnx_bytes(layer, tmp_path)
    (got,) = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(None, {"x": x.numpy()})
    with torch.no_grad():
        assert relative_l2(torch.from_numpy(got), layer(x)) < 1e-5


def onnx_bytes(layer, folder):
    model = trace(lambda: Int8Linear(COLUMNS, ROWS, bias=True), SIGNATURE, {"batch": 2, "tokens": 5})
    placed, content = {}, io.BytesIO()
    for name, value in layer.state_dict().items():
        raw = value.numpy().tobytes()
        dtype = "I8" if value.dtype is torch.int8 else "F32"
        placed[name] = Placed(dtype=dtype, shape=tuple(value.shape), offset=content.tell(), nbytes=len(raw))
        content.write(raw)
    (folder / "model.weights").write_bytes(content.getvalue())
    attach_weights(model, placed, "model.weights", folder)
    ir.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def test_int8_lies_beside_what_was_there(bundle):
    """Engines of the same weights stay, and the last one built is the first."""
    engines = read_bundle(bundle).engines
    assert [engine.precision for engine in engines["text_encoder"]] == [Precision.INT8, Precision.FP32]
    assert len({engine.key["weights"] for engine in engines["text_encoder"]}) == 1


def test_matrices_are_whole_numbers(bundle, checkpoints):
    """Those of attention and the widening are, each row with its scale; norms, tables and T5's last product are not."""
    kept = load_file(checkpoints("0.9.0") / "text_encoder/model.safetensors")
    found = ir.load(tiny_bundles.graph_path(bundle, "text_encoder", "int8")).graph.initializers
    name = "encoder.block.0.layer.0.SelfAttention.q"
    numbers, scales = (
        torch.from_numpy(found[f"{name}.{piece}"].const_value.numpy().copy()) for piece in ("numbers", "scales")
    )
    wanted = in_whole_numbers(kept[f"{name}.weight"])
    assert torch.equal(numbers, wanted[0].T)
    assert torch.equal(scales, wanted[1])
    plain = {name for name, value in found.items() if name in kept}
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in plain} == {
        "shared", "layer_norm", "final_layer_norm", "relative_attention_bias", "wo",
    }  # fmt: skip


def test_convolutions_stay_as_they_are(checkpoints):
    """int8 for all components leaves the VAE as it is stored; asked for by name it is refused."""
    plan = tiny_bundles.plan(checkpoints("0.9.0"), precision="int8")
    assert {str(step.part.component): str(step.precision) for step in plan.steps} == {
        "text_encoder": "int8", "transformer": "int8", "vae_encoder": "fp32", "vae_decoder": "fp32",
    }  # fmt: skip
    with pytest.raises(CheckpointError, match="Expected a component of linear layers for int8, but the VAE decoder is"):
        tiny_bundles.plan(checkpoints("0.9.0"), precision="int8", components=("vae_decoder",))


def test_tensorrt_has_no_int8(checkpoints):
    """Its engines are not built so."""
    with pytest.raises(CheckpointError, match=r"^tensorrt-rtx plays no engines in int8: build them for onnxruntime"):
        tiny_bundles.plan(checkpoints("0.9.0"), precision="int8", backends=("onnxruntime", "tensorrt-rtx"))


def test_what_is_there_is_not_built_again(bundle, checkpoints, monkeypatch):
    """The same checkpoint again changes nothing."""
    before = tiny_bundles.contents(bundle)
    monkeypatch.setattr("vidrt_export.backends.onnxruntime.trace", None)
    tiny_bundles.build(checkpoints("0.9.0"), bundle, components=("text_encoder",), precision="int8")
    assert tiny_bundles.contents(bundle) == before


def test_the_plan_knows_its_size(bundle, checkpoints):
    """What a plan says of the disk is what the weights take."""
    plan = tiny_bundles.plan(checkpoints("0.9.0"), components=("text_encoder",), precision="int8")
    weights = tiny_bundles.engine_of(bundle, "text_encoder", "int8").files[1]
    assert plan.disk_bytes == weights.bytes
