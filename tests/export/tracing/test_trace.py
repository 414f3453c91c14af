"""Traced graphs in onnxruntime against the modules they were traced from, over every dynamic axis."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import tiny_bundles
import tiny_ltx
import torch
from closeness import relative_l2
from traces import patch_tracing
from vidrt_engines.names import Precision
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_export.tracing.trace import trace
from vidrt_export.writing.graph import attach_weights
from vidrt_export.writing.weights import kept_dtypes, place
from vidrt_reference.checkpoint.load import load

BAR = 1e-5
WIDE_HEADS = "13B heads"
WIDE = {"attention_head_dim": 16, "cross_attention_dim": 64, "num_layers": 3}
SHARED = ("text_encoder", "transformer")  # the same in all forms
GRAPHS = [(form, component) for form in tiny_ltx.FORMS for component in tiny_bundles.COMPONENTS]
GRAPHS.append((WIDE_HEADS, "transformer"))

# minimum, middle and maximum of each axis, sides of every proportion
TEXTS = [(1, 1), (3, 1), (2, 7), (1, 128), (3, 128)]  # batch, text tokens
TOKENS = [(*text, tokens) for text in TEXTS for tokens in (1, 60)] + [(1, 1, 500), (3, 128, 300)]
GRIDS = [(1, 1, 1, 1), (2, 2, 3, 1), (3, 1, 1, 3), (1, 5, 3, 7), (1, 2, 7, 3), (2, 5, 1, 1), (1, 1, 7, 7)]
CLIPS = [(1, 1, 1, 1), (2, 2, 3, 1), (3, 1, 1, 3), (1, 3, 3, 7), (1, 2, 7, 3), (2, 3, 1, 1), (1, 1, 7, 7)]
RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}


@pytest.fixture(scope="module")
def wide_source(tmp_path_factory):
    """A checkpoint whose transformer has heads as wide, against its text's, as the 13B model's."""
    pipeline = tiny_ltx.build("0.9.5")
    pipeline.transformer = tiny_ltx.transformer(**WIDE)
    folder = tmp_path_factory.mktemp("wide") / "tiny"
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def wide_bundle(wide_source, traces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wide") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch_tracing(patch, traces)
        tiny_bundles.build(wide_source, folder, components=("transformer",))
    return folder


@pytest.fixture(scope="module")
def parts(checkpoints, wide_source):
    """A function of checkpoint and component: the part that the exporter traces."""

    def part(name, component):
        folder = wide_source if name == WIDE_HEADS else checkpoints(name)
        return read_diffusers_folder(folder).parts[component]

    return part


@pytest.fixture(scope="module")
def folders(bundles, wide_bundle):
    """A function of the checkpoint: its bundle."""
    return lambda name: wide_bundle if name == WIDE_HEADS else bundles(name)


@pytest.fixture(scope="module")
def modules(parts):
    """A function of checkpoint and component: the reference module with its weights, made once."""
    made = {}

    def module(name, component):
        if (name, component) not in made:
            part = parts(name, component)
            made[name, component] = part.make().eval()
            load(made[name, component], part.tensors, optional=part.optional)
        return made[name, component]

    return module


@pytest.fixture(scope="module")
def graphs(folders):
    """A function of checkpoint and component: the engine's graph in onnxruntime, opened once."""
    opened = {}

    def graph(name, component):
        if (name, component) not in opened:
            path = tiny_bundles.graph_path(folders(name), component)
            opened[name, component] = tiny_bundles.open_graph(path)
        return opened[name, component]

    return graph


@pytest.fixture(scope="module")
def distance(modules, graphs):
    """A function of checkpoint, component and named inputs: how far the graph is from the module."""

    @torch.no_grad()
    def measure(name, component, inputs):
        (got,) = graphs(name, component).run(None, {key: value.numpy() for key, value in inputs.items()})
        noise = tuple(value for key, value in inputs.items() if key.startswith("noise_"))
        others = {key: value for key, value in inputs.items() if not key.startswith("noise_")}
        wanted = modules(name, component)(**others, **({"noise": noise} if noise else {}))
        return relative_l2(torch.from_numpy(got), wanted)

    return measure


def generator(*sizes):
    return torch.Generator().manual_seed(sum(size * 31**place for place, size in enumerate(sizes)))


def rotations(tokens, width, source):
    angles = 100 * torch.randn(tokens, width // 2, generator=source)
    return {"rope_cos": angles.cos(), "rope_sin": angles.sin()}


@pytest.mark.parametrize("component", SHARED)
def test_forms_share_what_does_not_differ(bundles, component):
    """The text encoder and the transformer are one engine in all forms, so that one form's tests speak for all."""
    hashes = {
        tuple(f.sha256 for f in tiny_bundles.engine_of(bundles(form), component).files) for form in tiny_ltx.FORMS
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(("batch", "length"), [*TEXTS, (1, 300)])
def test_text_encoder_is_its_module(distance, parts, batch, length):
    """The embeddings are the module's at any batch and length, beyond the furthest relative position too."""
    words = parts("0.9.0", "text_encoder").config["vocab_size"]
    tokens = torch.randint(0, words, (batch, length), generator=generator(batch, length))
    assert distance("0.9.0", "text_encoder", {"input_ids": tokens}) <= BAR


@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize(("batch", "length", "tokens"), TOKENS)
@pytest.mark.parametrize("name", ["0.9.0", WIDE_HEADS])
def test_transformer_is_its_module(distance, parts, name, batch, length, tokens, per_token):
    """The velocity is the module's at any batch and count of tokens, one timestep or many, blocks perturbed or not."""
    source = generator(batch, length, tokens)
    layers = parts(name, "transformer").config["num_layers"]
    inputs = {
        "latents": torch.randn(batch, tokens, 8, generator=source),
        "context": torch.randn(batch, length, 16, generator=source),
        "timestep": 1000 * torch.rand(batch, tokens if per_token else 1, generator=source),
        **rotations(tokens, parts(name, "transformer").make().params.inner_dim, source),
        "perturbation": (torch.rand(batch, layers, 3, generator=source) > 0.7).float(),
    }
    assert distance(name, "transformer", inputs) <= BAR


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("form", tiny_ltx.FORMS)
def test_vae_encoder_is_its_module(distance, form, clip):
    """The moments are the module's for 1, 9 and 17 frames and any sides."""
    batch, frames, rows, columns = clip
    shape = (batch, 3, 8 * (frames - 1) + 1, 32 * rows, 32 * columns)
    values = 2 * torch.rand(shape, generator=generator(*clip)) - 1
    assert distance(form, "vae_encoder", {"frames": values}) <= BAR


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("form", tiny_ltx.FORMS)
def test_vae_decoder_is_its_module(distance, modules, form, grid):
    """The frames are the module's for 1, 2 and 5 latent frames and any sides, with noise and timestep where taken."""
    batch, _, rows, columns = grid
    module, source = modules(form, "vae_decoder"), generator(*grid)
    shape = (batch, 8, *grid[1:])
    inputs = {"latents": torch.randn(shape, generator=source)}
    if module.params.timestep_conditioning:
        inputs["timestep"] = torch.rand(batch, generator=source)
    for number, scale in enumerate(module.injected_noise):
        inputs[f"noise_{number}"] = torch.randn(rows * scale, columns * scale, generator=source)
    assert len(inputs) == {"0.9.0": 1, "0.9.1": 8, "0.9.5": 2}[form]
    assert distance(form, "vae_decoder", inputs) <= BAR


def test_every_input_counts(graphs):
    """Another value of any input changes what comes out: the graph has dropped none."""
    graph, source = graphs("0.9.1", "vae_decoder"), generator(1)
    inputs = {"latents": torch.randn(1, 8, 1, 2, 3, generator=source), "timestep": torch.tensor([0.05])}
    for number, scale in enumerate((2, 2, 4, 4, 8, 8)):
        inputs[f"noise_{number}"] = torch.randn(2 * scale, 3 * scale, generator=source)
    given = {name: value.numpy() for name, value in inputs.items()}
    (before,) = graph.run(None, given)
    for name, value in given.items():
        (after,) = graph.run(None, {**given, name: value + np.float32(0.5)})
        assert relative_l2(torch.from_numpy(after), torch.from_numpy(before)) > 1e-3, name


def serialised(model, part):
    """A graph's bytes, with its weights only pointed at."""
    attach_weights(model, place(part.used(), kept_dtypes(part.used(), Precision.FP32)), "model.weights", Path())
    return ir.serde.serialize_model(model).SerializeToString(deterministic=True)


def other_sizes():
    """Sizes of which none is the exporter's own."""
    grid = {"latent_frames": 2, "latent_rows": 3, "latent_columns": 7}
    scaled = {
        f"{name}_x{scale}": size * scale for name, size in (("rows", 3), ("columns", 7)) for scale in (1, 2, 4, 8)
    }
    return {"batch": 3, "text_tokens": 11, "tokens": 42, "frames": 9, "rows": 96, "columns": 224, **grid, **scaled}


# the components that are the same in several forms are traced once
@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("0.9.0", "text_encoder"),
        ("0.9.0", "transformer"),
        (WIDE_HEADS, "transformer"),
        ("0.9.0", "vae_encoder"),
        ("0.9.5", "vae_encoder"),
        ("0.9.0", "vae_decoder"),
        ("0.9.1", "vae_decoder"),
        ("0.9.5", "vae_decoder"),
    ],
)
def test_the_traced_sizes_leave_no_mark(parts, traces, name, component):
    """Traced at other sizes, the graph is the same to the byte."""
    part, sizes = parts(name, component), other_sizes()
    assert all(sizes[axis] != size for axis, size in part.sizes.items())
    wanted = serialised(traces(part.make, part.signature, part.sizes), part)
    assert serialised(trace(part.make, part.signature, sizes), part) == wanted


@pytest.mark.parametrize(("name", "component"), GRAPHS)
def test_graphs_draw_no_random_number(folders, name, component):
    """Every random number enters a graph as an input."""
    model = onnx.load(tiny_bundles.graph_path(folders(name), component), load_external_data=False)
    operators = {node.op_type for node in nodes(model)}
    assert "MatMul" in operators or "Conv" in operators
    assert not operators & RANDOM


@pytest.mark.parametrize(("name", "component"), GRAPHS)
def test_graphs_are_named_as_the_signature(folders, parts, name, component):
    """Inputs and outputs have the signature's names, types and axes, in the file as in the manifest."""
    model = onnx.load(tiny_bundles.graph_path(folders(name), component), load_external_data=False)
    signature = parts(name, component).signature
    engine = tiny_bundles.engine_of(folders(name), component)
    assert (engine.inputs, engine.outputs) == (signature.inputs, signature.outputs)
    for values, specs in ((model.graph.input, signature.inputs), (model.graph.output, signature.outputs)):
        assert [described(value) for value in values] == [dataclasses.astuple(spec) for spec in specs]


def described(value):
    tensor = value.type.tensor_type
    dtype = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.INT64: "int64"}[tensor.elem_type]
    axes = tuple(dim.dim_param or str(dim.dim_value) for dim in tensor.shape.dim)
    return value.name, dtype, axes


@pytest.mark.parametrize(("name", "component"), GRAPHS)
def test_graphs_hold_nothing_of_the_builder(folders, name, component):
    """No path, no trace of a call and no remark is in the file, whose weights all lie beside it."""
    path = tiny_bundles.graph_path(folders(name), component)
    content = path.read_bytes()
    told = (b".py", b"site-packages", b"stack_trace", b"pkg.torch", str(Path(tiny_ltx.__file__).parents[1]).encode())
    assert [word for word in told if word in content] == []
    model = onnx.load(path, load_external_data=False)
    assert not model.doc_string
    assert not model.graph.doc_string
    assert not model.metadata_props
    assert not [node.name for node in nodes(model) if node.doc_string or node.metadata_props]
    locations = {entry.value for t in model.graph.initializer for entry in t.external_data if entry.key == "location"}
    assert locations == {"model.weights"}
    assert len(content) < 100_000


def nodes(model):
    """Every node, those of functions and subgraphs included."""
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            waiting += [*attribute.g.node, *(inner for graph in attribute.graphs for inner in graph.node)]
