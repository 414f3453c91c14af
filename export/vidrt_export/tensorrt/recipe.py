"""What a graph traced by a precision recipe has in it, for the audit to find again."""

import onnx_ir as ir
import torch
from torch import nn
from vidrt_engines.names import Precision

from vidrt_export.checks.precision import DTYPES, prepared
from vidrt_export.part import Part
from vidrt_export.tensorrt.job import Expected
from vidrt_export.tracing.lowering import DECOMPOSABLE

_PRODUCTS = (nn.Linear, nn.Conv2d, nn.Conv3d)


def expected_of(part: Part, precision: Precision, model: ir.Model) -> Expected:
    """Counts a graph's attentions, and the layers that its recipe computes in another type."""
    with torch.device("meta"):
        module = prepared(part, precision)(part.make())
    products = [layer for layer in module.modules() if isinstance(layer, _PRODUCTS)]
    others = [layer for layer in products if layer.weight.dtype is not DTYPES[precision]]
    attentions = [node for node in model.graph.all_nodes() if node.op_type == "Attention"]
    fused = [node for node in attentions if DECOMPOSABLE not in node.attributes]
    return Expected(precision=precision, attentions=len(attentions), fused=len(fused), others=len(others))
