"""Graphs as TensorRT gets them, in onnxruntime, against the reference in fp32."""

from functools import partial

import onnx_ir as ir
import pytest
import tiny_bundles
import torch
from closeness import relative_l2
from vidrt_engines.names import Backend, Precision
from vidrt_engines.precisions import BOUNDS
from vidrt_export.buckets import profile, read_buckets
from vidrt_export.checks.examples import example_inputs
from vidrt_export.checks.precision import prepared
from vidrt_export.checks.shapes import shapes_of
from vidrt_export.part import as_arguments
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_export.tracing.lowering import DECOMPOSABLE
from vidrt_reference.checkpoint.load import load

# onnxruntime has no product of bf16 on the CPU
PRECISIONS = [Precision.FP32, Precision.FP16]


def recipe(part, precision):
    """What prepares a module, but for what an fp16 engine computes in bf16: here it is fp16 too."""
    prepare = prepared(part, precision)
    return partial(prepare.func, **{**prepare.keywords, "ranged": ()})


@pytest.fixture(scope="module")
def graphs(fused_checkpoint, traces):
    """A function of component and precision: its part and the graph that TensorRT gets, without weights."""
    checkpoint = read_diffusers_folder(fused_checkpoint)

    def graph(component, precision):
        part = checkpoint.parts[component]
        prepare = recipe(part, precision)
        return part, traces(part.make, part.signature, part.sizes, backend=Backend.TENSORRT_RTX, prepare=prepare)

    return graph


@pytest.fixture(scope="module")
def shapes(fused_checkpoint):
    """A function of the component: the minimum, optimum and maximum of two profiles."""
    checkpoint = read_diffusers_folder(fused_checkpoint)
    buckets = read_buckets(tiny_bundles.RESOLUTIONS, tiny_bundles.FRAMES, 2, checkpoint.settings)

    def sizes(part):
        found = [profile(bucket, part.component, part.signature, checkpoint.settings) for bucket in buckets]
        return [shape.sizes for shape in shapes_of(found)]

    return sizes


def opened(part, model, precision, folder):
    """The graph with its weights in onnxruntime, which knows nothing of the attribute that is TensorRT's own."""
    module = recipe(part, precision)(part.make()).eval()
    load(module, part.tensors, optional=part.optional)
    for name, value in module.state_dict().items():
        if name in model.graph.initializers:
            model.graph.initializers[name].const_value = ir.tensor_adapters.TorchTensor(value)
    for node in model.graph.all_nodes():
        node.attributes.pop(DECOMPOSABLE, None)
    ir.save(model, folder / "model.onnx")
    return tiny_bundles.open_graph(folder / "model.onnx")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("component", tiny_bundles.COMPONENTS)
@torch.no_grad()
def test_a_graph_is_its_module(graphs, shapes, tmp_path, component, precision):
    """At every end of every axis the result is the fp32 module's, within the precision's bound."""
    part, model = graphs(component, precision)
    session = opened(part, model, precision, tmp_path)
    exact = part.make().eval()
    load(exact, part.tensors, optional=part.optional)
    sizes = shapes(part)
    assert len(sizes) >= 3
    for one in sizes:
        inputs = example_inputs(part, one)
        (got,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        error = relative_l2(torch.from_numpy(got), exact(**as_arguments(inputs)))
        assert error <= BOUNDS[precision]
        assert precision is Precision.FP32 or error > 1e-5


@pytest.mark.parametrize("component", tiny_bundles.COMPONENTS)
def test_bf16_is_the_same_graph(graphs, component):
    """Node by node the graph in bf16 is that in fp16, with one type for the other."""

    def described(precision, half):
        _, model = graphs(component, precision)
        nodes = [(node.op_type, [cast(a, half) for a in node.attributes.values()]) for node in model.graph.all_nodes()]
        types = {name: str(value.dtype).replace(half, "HALF") for name, value in model.graph.initializers.items()}
        return nodes, {name: dtype for name, dtype in types.items() if "." in name}

    def cast(attribute, half):
        is_type = attribute.name == "to" and ir.DataType(attribute.value).name == half
        return (attribute.name, "HALF" if is_type else str(attribute.value).replace(half, "HALF"))

    assert described(Precision.BF16, "BFLOAT16") == described(Precision.FP16, "FLOAT16")
