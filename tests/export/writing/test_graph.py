"""Engines whose weights are kept in 16 bits: casts to fp32 around them, and the maths of the rounded weights."""

import numpy as np
import onnx
import pytest
import tiny_bundles
import tiny_ltx
import torch
from closeness import relative_l2
from traces import patch_tracing
from vidrt_engines.names import Backend, Precision
from vidrt_export.plan import make_plan
from vidrt_export.sources.diffusers_folder import read_diffusers_folder

HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}
FLOAT = onnx.TensorProto.FLOAT
KEPT = {"fp16": onnx.TensorProto.FLOAT16, "bf16": onnx.TensorProto.BFLOAT16}
BAR = 1e-6
FORM = "0.9.1"  # the one with noise, so with every kind of parameter that there is


@pytest.fixture(scope="module")
def half_bundle(checkpoints, traces, tmp_path_factory):
    """The fp32 checkpoint built in both types of 16 bits."""
    folder = tmp_path_factory.mktemp("halves") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch_tracing(patch, traces)
        for precision in HALVES:
            tiny_bundles.build(checkpoints(FORM), folder, precision=precision)
    return folder


@pytest.fixture(scope="module")
def rounded_bundles(traces, tmp_path_factory):
    """For each type of 16 bits, an fp32 bundle of weights that were rounded to it."""
    root, folders = tmp_path_factory.mktemp("rounded"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch_tracing(patch, traces)
        for precision, dtype in HALVES.items():
            pipeline = tiny_ltx.build(FORM)
            for model in (pipeline.transformer, pipeline.vae, pipeline.text_encoder):
                for value in (*model.parameters(), *model.buffers()):
                    value.data = value.data.to(dtype).to(value.dtype) if value.is_floating_point() else value.data
            pipeline.save_pretrained(root / precision / "source")
            folders[precision] = root / precision / "bundle"
            tiny_bundles.build(root / precision / "source", folders[precision])
    return folders


@pytest.fixture
def graph(half_bundle):
    """A function of component and precision: the graph as it is in the file."""
    return lambda component, precision: (
        onnx.load(tiny_bundles.graph_path(half_bundle, component, precision), load_external_data=False).graph
    )


def example(session):
    """Inputs of any component, drawn from what its graph says of them."""
    random = np.random.default_rng(0)
    sizes = {"batch": 2, "text_tokens": 7, "tokens": 60, "timestep_tokens": 1, "latent_frames": 2, "frames": 9}
    sizes |= {"latent_rows": 2, "latent_columns": 3, "rows": 64, "columns": 96}
    sizes |= {f"{name}_x{k}": size * k for k in (2, 4, 8) for name, size in (("rows", 2), ("columns", 3))}
    arrays = {}
    for value in session.get_inputs():
        shape = [sizes[axis] if isinstance(axis, str) else axis for axis in value.shape]
        is_ids = value.type == "tensor(int64)"
        arrays[value.name] = random.integers(0, 90, shape) if is_ids else random.normal(size=shape).astype(np.float32)
    return arrays


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("component", tiny_bundles.COMPONENTS)
def test_every_weight_is_kept_in_the_type(graph, half_bundle, component, precision):
    """The file holds each weight in 16 bits, and is about half as large as fp32's."""
    initializers = graph(component, precision).initializer
    stored = [value for value in initializers if value.external_data]
    assert len(stored) > 20
    assert {value.data_type for value in stored} == {KEPT[precision]}
    # what the graph itself holds are the small constants of its shapes and maths
    assert all(np.prod(value.dims) <= 1024 for value in initializers if not value.external_data)
    bytes_of_weights = sum(2 * int(np.prod(value.dims)) for value in stored)
    on_disk = tiny_bundles.engine_of(half_bundle, component, precision).files[1].bytes
    assert bytes_of_weights <= on_disk <= bytes_of_weights + 64 * len(stored) + 4096 * len(stored)


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("component", tiny_bundles.COMPONENTS)
def test_all_maths_are_in_fp32(graph, component, precision):
    """A weight is read by casts to fp32 or by a look-up that one follows, and nothing is cast back."""
    proto = graph(component, precision)
    narrow = {value.name for value in proto.initializer if value.data_type == KEPT[precision]}
    for node in proto.node:
        if not narrow & set(node.input):
            continue
        if node.op_type == "Gather":
            narrow.add(node.output[0])
            continue
        assert node.op_type == "Cast", f"{node.op_type} reads {node.input}"
        assert cast_to(node) == FLOAT
    casts = [cast_to(node) for node in proto.node if node.op_type == "Cast"]
    assert KEPT[precision] not in casts
    assert {value.type.tensor_type.elem_type for value in proto.output} == {FLOAT}
    floats = {value.type.tensor_type.elem_type for value in proto.input} - {onnx.TensorProto.INT64}
    assert floats <= {FLOAT}


def cast_to(node):
    return next(attribute.i for attribute in node.attribute if attribute.name == "to")


@pytest.mark.parametrize("precision", HALVES)
def test_only_looked_up_rows_are_cast(graph, precision):
    """The token embeddings, the largest weight of all, are never widened as a whole."""
    proto = graph("text_encoder", precision)
    (table,) = [value.name for value in proto.initializer if value.name == "shared.weight"]
    readers = [node for node in proto.node if table in node.input]
    assert [node.op_type for node in readers] == ["Gather"]
    followers = {node.op_type for node in proto.node if readers[0].output[0] in node.input}
    assert followers == {"Cast"}


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("component", tiny_bundles.COMPONENTS)
def test_result_is_that_of_rounded_weights(half_bundle, rounded_bundles, bundles, component, precision):
    """Nothing but the weights is rounded: the result is the fp32 engine's on weights rounded the same way."""
    session = tiny_bundles.open_graph(tiny_bundles.graph_path(half_bundle, component, precision))
    inputs = example(session)
    graphs = [tiny_bundles.graph_path(folder, component) for folder in (rounded_bundles[precision], bundles(FORM))]
    rounded, exact = (torch.from_numpy(tiny_bundles.open_graph(path).run(None, inputs)[0]) for path in graphs)
    got = torch.from_numpy(session.run(None, inputs)[0])
    assert relative_l2(got, rounded) <= BAR
    assert relative_l2(got, exact) > 10 * BAR


@pytest.mark.parametrize(("dtype", "wanted"), [(torch.float32, "fp32"), *((d, p) for p, d in HALVES.items())])
def test_the_default_is_the_stored_type(tmp_path, dtype, wanted):
    """Where no precision is asked for, each component keeps the type its weights are stored in."""
    tiny_ltx.build("0.9.5").to(dtype).save_pretrained(tmp_path)
    plan = make_plan(read_diffusers_folder(tmp_path), precision=None, components=(), backends=[Backend.ONNXRUNTIME])
    assert [step.precision for step in plan.steps] == [Precision(wanted)] * 4


def test_what_a_stage_keeps_is_computed_early(bundles):
    """What makes a stage's state stands at its graph's end, the first of it last: there onnxruntime begins to look."""
    folder = bundles("0.9.0")
    for stage in tiny_bundles.engine_of(folder, "vae_decoder").stages:
        graph = onnx.load(folder / stage.file, load_external_data=False).graph
        state = [output.name for output in graph.output][1:]
        assert state == [spec.name for spec in stage.outputs][1:]
        assert [node.output[0] for node in graph.node][-len(state) :] == state[::-1]
