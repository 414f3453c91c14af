"""Quantised matrices in onnxruntime, of every type, against the numbers that gguf decodes."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
import tiny_gguf
import torch
from closeness import relative_l2
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from torch import nn
from vidrt.sessions.onnxruntime import STAY_MAPPED, UNFOLDED
from vidrt_engines.components import Signature
from vidrt_engines.names import Precision
from vidrt_engines.tensors import TensorSpec
from vidrt_export.tracing.trace import trace
from vidrt_export.writing.graph import attach_weights
from vidrt_export.writing.weights import kept_dtypes, place, write_weights
from vidrt_reference.checkpoint.gguf.header import GgufTensor
from vidrt_reference.checkpoint.gguf.tensors import pieces
from vidrt_reference.checkpoint.gguf.types import TYPES
from vidrt_reference.quantised import QuantisedEmbedding, QuantisedLinear

ENTRIES, WIDTH, ROWS = 40, 512, 24
KINDS = {kind.name: kind for kind in TYPES.values() if kind.form}
SIGNATURE = Signature(
    inputs=(TensorSpec(name="input_ids", dtype="int64", axes=("batch", "text_tokens")),),
    outputs=tuple(TensorSpec(name=name, dtype="float32", axes=("batch", "text_tokens", str(ROWS))) for name in KINDS),
)


class Every(nn.Module):
    """For each type a table whose rows go through a matrix."""

    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleDict({n: QuantisedEmbedding(ENTRIES, WIDTH, kind.form) for n, kind in KINDS.items()})
        self.matrices = nn.ModuleDict({n: QuantisedLinear(ROWS, WIDTH, kind.form) for n, kind in KINDS.items()})

    def forward(self, input_ids):
        return tuple(self.matrices[name](self.tables[name](input_ids)) for name in KINDS)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of the graph, and for each type its table and its matrix as gguf decodes them."""
    folder = tmp_path_factory.mktemp("every")
    stored, decoded = {}, {}
    for number, (name, kind) in enumerate(KINDS.items()):
        table = blocks(folder / f"{name}-table", kind, ENTRIES, 2 * number)
        matrix = blocks(folder / f"{name}-matrix", kind, ROWS, 2 * number + 1)
        decoded[name] = table[1], matrix[1]
        for place_, (tensor, _) in (("tables", table), ("matrices", matrix)):
            stored |= {f"{place_}.{name}.{leaf}": piece for leaf, piece in pieces(tensor).items()}
    model = trace(Every, SIGNATURE, {"batch": 2, "text_tokens": 7})
    placed = place(stored, kept_dtypes(stored, Precision.GGUF))
    write_weights(folder / "model.weights", stored, placed, lambda _: None)
    attach_weights(model, placed, "model.weights", folder)
    ir.save(model, folder / "model.onnx")
    return folder, decoded


def blocks(path, kind, rows, seed):
    """A matrix in a type, in a file, and its numbers."""
    rng, number = np.random.default_rng(seed), GGMLQuantizationType[kind.name]
    if kind.name in tiny_gguf.K_TYPES:
        data = tiny_gguf.draw_blocks(kind.name, rows, WIDTH, rng)
    else:
        data = quantize(rng.normal(size=(rows, WIDTH)).astype(np.float32), number)
    path.write_bytes(data.tobytes())
    tensor = GgufTensor(name="a", type=kind, shape=(rows, WIDTH), path=path, offset=0, nbytes=data.nbytes)
    return tensor, torch.from_numpy(dequantize(data, number))


@pytest.mark.parametrize("settings", [STAY_MAPPED, UNFOLDED], ids=["mapped", "packed"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 130), (2, 33)], ids=str)
def test_every_type_is_what_gguf_decodes(written, settings, shape):
    """Rows looked up and multiplied equal those of the numbers, whether the blocks are packed or left in their file."""
    folder, decoded = written
    options = ort.SessionOptions()
    for key, value in settings.items():
        options.add_session_config_entry(key, value)
    session = ort.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    ids = torch.randint(ENTRIES, shape, generator=torch.Generator().manual_seed(4))
    found = session.run(list(KINDS), {"input_ids": ids.numpy()})
    for name, value in zip(KINDS, found, strict=True):
        table, matrix = decoded[name]
        wanted = table[ids].double() @ matrix.double().T
        assert relative_l2(torch.from_numpy(value), wanted.float()) < 2e-6, name


def test_blocks_are_in_the_graph_as_they_are(written):
    """No matrix is in the graph as numbers, and each has one node a plane, which computes in fp32."""
    folder, _ = written
    graph = onnx.load(folder / "model.onnx", load_external_data=False).graph
    external = [tensor for tensor in graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
    assert {onnx.TensorProto.UINT8, onnx.TensorProto.INT8, onnx.TensorProto.FLOAT16} == {t.data_type for t in external}
    halves = [tensor for tensor in external if tensor.data_type == onnx.TensorProto.FLOAT16]
    assert max(np.prod(tensor.dims) for tensor in halves) == ENTRIES * WIDTH // 32
    products = [node for node in graph.node if node.op_type == "MatMulNBits"]
    assert len(products) == sum(kind.form.planes for kind in KINDS.values())
    levels = {next(a.i for a in node.attribute if a.name == "accuracy_level") for node in products}
    assert levels == {0}
