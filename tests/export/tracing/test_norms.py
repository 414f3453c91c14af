"""Group norm as onnxruntime is given it."""

from functools import partial

import onnx_ir as ir
import pytest
import tiny_bundles
import torch
from closeness import relative_l2
from torch import nn
from vidrt_engines.components import Signature, float_tensor
from vidrt_engines.names import Backend
from vidrt_export.tracing.trace import trace

CHANNELS, GROUPS = 64, 32
AXES = {4: ("rows", "columns"), 5: ("frames", "rows", "columns")}
SIZES = {"batch": 2, "frames": 3, "rows": 4, "columns": 5}


class Norm(nn.GroupNorm):
    def forward(self, x):
        return super().forward(x)


def traced(rank, backend=Backend.ONNXRUNTIME):
    spec = ("batch", CHANNELS, *AXES[rank])
    signature = Signature(inputs=(float_tensor("x", *spec),), outputs=(float_tensor("y", *spec),))
    return trace(partial(Norm, GROUPS, CHANNELS, eps=1e-6), signature, SIZES, backend=backend)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A function of rank: a norm of random weights, and its graph in onnxruntime."""
    made = {}

    def play(rank):
        if rank not in made:
            torch.manual_seed(rank)
            norm, model = Norm(GROUPS, CHANNELS, eps=1e-6), traced(rank)
            for name, value in norm.named_parameters():
                nn.init.normal_(value)
                model.graph.initializers[name].const_value = ir.tensor(value.detach().numpy(), name=name)
            path = tmp_path_factory.mktemp("norm") / "model.onnx"
            ir.save(model, path)
            made[rank] = norm, tiny_bundles.open_graph(path)
        return made[rank]

    return play


@pytest.mark.parametrize("mean", [0, 1, 10])
@pytest.mark.parametrize(
    "shape", [(1, CHANNELS, 1, 1), (3, CHANNELS, 9, 2), (25, CHANNELS, 1, 1), (2, CHANNELS, 4, 3, 5)]
)
@torch.no_grad()
def test_norms_are_pytorchs(played, shape, mean):
    """Of any shape, also in groups of two values and where the mean is far from zero, it is the norm in fp64."""
    norm, graph = played(len(shape))
    x = mean + torch.randn(shape, generator=torch.Generator().manual_seed(mean)) / 2
    (got,) = graph.run(None, {"x": x.numpy()})
    assert relative_l2(torch.from_numpy(got).double(), norm.double()(x.double())) <= 1e-4
    norm.float()


@torch.no_grad()
def test_a_constant_picture_is_no_nan(played):
    """Values that are all the same have a variance of zero, and none below."""
    norm, graph = played(4)
    (got,) = graph.run(None, {"x": torch.full((1, CHANNELS, 8, 8), 31.7).numpy()})
    assert relative_l2(torch.from_numpy(got), norm.bias[None, :, None, None].expand(1, -1, 8, 8)) <= 1e-2


@pytest.mark.parametrize("backend", [Backend.TENSORRT, Backend.TENSORRT_RTX])
def test_tensorrt_is_given_the_node(backend):
    """TensorRT, which has a kernel for it, gets ONNX's own node."""
    assert "GroupNormalization" in {node.op_type for node in traced(4, backend).graph}
