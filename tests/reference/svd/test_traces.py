"""Each component's traced graph in onnxruntime against the module, over every dynamic axis."""

import pytest
import svd_graphs
import tiny_svd
import torch
from closeness import relative_l2
from vidrt_export.tracing.trace import trace
from vidrt_reference.svd.image_encoder import ImageEncoder, ImageEncoderParams
from vidrt_reference.svd.unet import UNet
from vidrt_reference.svd.unet_params import UNetParams
from vidrt_reference.svd.vae_decoder import VaeDecoder
from vidrt_reference.svd.vae_encoder import VaeEncoder
from vidrt_reference.svd.vae_params import VaeParams

pytestmark = pytest.mark.slow  # traces the whole UNet; parity/test_svd_engines.py holds what is exported in every run

BAR = 1e-5
SIGNATURES = {
    "unet": svd_graphs.unet(context=tiny_svd.EMBEDDING),
    "vae_encoder": svd_graphs.VAE_ENCODER,
    "vae_decoder": svd_graphs.VAE_DECODER,
    "image_encoder": svd_graphs.image_encoder(embedding=tiny_svd.EMBEDDING),
}
SIZES = {"batch": 2, "frames": 3, "latent_rows": 9, "latent_columns": 12, "rows": 24, "columns": 40}
OTHERS = {"batch": 3, "frames": 2, "latent_rows": 16, "latent_columns": 7, "rows": 16, "columns": 8}
LATENTS = [(1, 1, 6, 6), (2, 2, 7, 4), (1, 14, 5, 16), (2, 14, 8, 7)]


def module(component, **changes):
    if component == "unet":
        oracle = tiny_svd.unet(**changes)
        made, state = UNet(UNetParams.from_config(oracle.config)), oracle.state_dict()
    elif component == "image_encoder":
        oracle = tiny_svd.image_encoder()
        made = ImageEncoder(ImageEncoderParams.from_config(oracle.config.to_dict()))
        state = oracle.state_dict()
    else:
        oracle = tiny_svd.vae()
        number = ("vae_encoder", "vae_decoder").index(component)
        made = (VaeEncoder, VaeDecoder)[number](VaeParams.from_config(oracle.config))
        state = tiny_svd.vae_halves(oracle)[number]
    made.load_state_dict(state, strict=True)
    return made.eval()


def graph_of(component, made, sizes):
    traced = trace(svd_graphs.maker(made), SIGNATURES[component], sizes)
    return svd_graphs.with_weights(traced, made.state_dict())


@pytest.fixture(scope="module")
def traced():
    """A function of the component: its module, and the graph traced from it, made once."""
    made = {}

    def trace(component):
        if component not in made:
            one = module(component, **tiny_svd.SHALLOW) if component == "unet" else module(component)
            made[component] = one, graph_of(component, one, SIZES)
        return made[component]

    return trace


def drawn(spec, sizes):
    shape = [int(axis) if axis.isdigit() else sizes[axis] for axis in spec.axes]
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@torch.no_grad()
def distance(component, one, session, sizes):
    given = {spec.name: drawn(spec, sizes) for spec in SIGNATURES[component].inputs}
    (got,) = session.run(None, {name: value.numpy() for name, value in given.items()})
    return relative_l2(torch.from_numpy(got), one(**given))


def sizes_of(shape):
    batch, frames, rows, columns = shape
    latents = {"frames": frames, "latent_rows": rows, "latent_columns": columns}
    return {"batch": batch, **latents, "rows": 8 * rows, "columns": 8 * columns}


@pytest.mark.parametrize("component", SIGNATURES)
def test_graph_is_its_module(traced, tmp_path, component):
    """The graph gives the module's values at sizes other than those that it was traced with."""
    one, graph = traced(component)
    session = svd_graphs.opened(graph, tmp_path)
    assert {shape: far for shape in LATENTS if (far := distance(component, one, session, sizes_of(shape))) > BAR} == {}


@pytest.mark.slow
def test_whole_unet_is_its_module(tmp_path):
    """The graph of a UNet as deep as the real one gives its velocity too."""
    one = module("unet")
    session = svd_graphs.opened(graph_of("unet", one, SIZES), tmp_path)
    assert max(distance("unet", one, session, sizes_of(shape)) for shape in LATENTS) <= BAR


@pytest.mark.parametrize("component", SIGNATURES)
def test_the_traced_sizes_leave_no_mark(traced, component):
    """Traced at other sizes, the graph is the same to the byte."""
    one, graph = traced(component)
    assert svd_graphs.content(graph_of(component, one, OTHERS)) == svd_graphs.content(graph)


@pytest.mark.parametrize("component", SIGNATURES)
def test_graphs_hold_no_sequences(traced, component):
    """No operator makes a sequence of tensors, which TensorRT does not read, and none draws a number."""
    operators = {node.op_type for node in traced(component)[1].graph.all_nodes()}
    assert "MultiHeadAttention" in operators
    assert not {name for name in operators if "Sequence" in name or "Random" in name}
