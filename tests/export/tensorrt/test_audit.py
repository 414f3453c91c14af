"""The audit of a parsed network, on networks made with TensorRT's own calls."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorrt_rtx as trt
from vidrt_engines.names import Precision
from vidrt_export.tensorrt.audit import audit
from vidrt_export.tensorrt.job import Expected

TYPES = {"fp32": trt.float32, "fp16": trt.float16, "bf16": trt.bfloat16}


@pytest.fixture
def net():
    """A network to be filled: functions that add a layer and give what it puts out."""
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    names = iter(range(1000))

    def tensor(precision, shape=(1, 2, 8, 32)):
        return network.add_input(f"x{next(names)}", TYPES[precision], shape)

    def named(layer, name):
        layer.name = name
        return layer.get_output(0)

    def product(x, name="product"):
        return named(network.add_matrix_multiply(x, trt.MatrixOperation.NONE, x, trt.MatrixOperation.TRANSPOSE), name)

    def convolution(x, name="convolution"):
        kernel = np.ones((2, 2, 1, 1), np.float32 if x.dtype == trt.float32 else np.float16)
        return named(network.add_convolution_nd(x, 2, (1, 1), trt.Weights(kernel)), name)

    def attention(x, name="attention"):
        layer = network.add_attention(x, x, x, trt.AttentionNormalizationOp.SOFTMAX, False)
        layer.name = name
        return layer.get_output(0)

    def cast(x, precision, name="cast"):
        return named(network.add_cast(x, TYPES[precision]), name)

    def audited(precision="fp16", attentions=0, others=0):
        expected = Expected(precision=Precision(precision), attentions=attentions, fused=attentions, others=others)
        return audit(network, trt, expected)

    return SimpleNamespace(
        tensor=tensor, product=product, convolution=convolution, attention=attention, cast=cast, audited=audited,
        network=network,
    )  # fmt: skip


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_network_that_is_the_recipe_passes(net, precision):
    """Attentions, products and an island in fp32, each as many as expected, with a cast in and out of the island."""
    x = net.tensor(precision)
    net.attention(x)
    net.product(x)
    net.cast(net.product(net.cast(x, "fp32")), precision)
    found = net.audited(precision, attentions=1, others=1)
    assert found.problems == ()
    assert (found.attentions, found.heavy, found.casts) == (1, 3, 2)


def test_a_missing_attention_is_told(net):
    """An attention that the parser took apart is products and a softmax, and no layer of attention."""
    x = net.tensor("fp16")
    net.product(x)
    net.attention(x)
    assert net.audited(attentions=2).problems == ("1 attention layers where the graph has 2 attentions",)


def test_an_attention_too_many_is_told(net):
    """What the graph does not have should not be in the network."""
    net.attention(net.tensor("fp16"))
    assert net.audited().problems == ("1 attention layers where the graph has 0 attentions",)


@pytest.mark.parametrize("kind", ["product", "convolution"])
def test_a_wide_layer_too_many_is_named(net, kind):
    """One in fp32 that the recipe does not have costs several times what it should."""
    half, full = net.tensor("fp16"), net.tensor("fp32")
    net.product(half, "good")
    getattr(net, kind)(full, "island")
    getattr(net, kind)(full, "slow")
    (told,) = net.audited(others=1).problems
    assert told == "2 products and convolutions are not in fp16, where the recipe has 1: island, slow"
    assert net.audited(others=2).problems == ()


def test_a_missing_island_is_told(net):
    """An island that is in half precision loses what it is there for."""
    net.product(net.tensor("fp16"))
    (told,) = net.audited(others=1).problems
    assert told.startswith("0 products and convolutions are not in fp16, where the recipe has 1")


def test_the_other_half_is_no_recipe(net):
    """A product in fp16 is none in bf16."""
    net.product(net.tensor("fp16"), "other")
    assert net.audited("bf16").problems == (
        "1 products and convolutions are not in bf16, where the recipe has 0: other",
    )


def test_only_some_are_named(net):
    """A network of hundreds is one line."""
    x = net.tensor("fp32")
    for number in range(5):
        net.product(x, f"p{number}")
    (told,) = net.audited().problems
    assert told.endswith(": p0, p1, p2, …")


def test_everything_in_fp32_is_right_in_fp32(net):
    """An engine in fp32 has no islands to count."""
    net.product(net.tensor("fp32"))
    assert net.audited("fp32").problems == ()


def test_a_cast_that_is_undone_is_named(net):
    """A cast whose result the next one takes back moves memory for nothing."""
    x = net.tensor("fp16")
    net.product(net.cast(net.cast(x, "fp32", "there"), "fp16", "back"))
    found = net.audited()
    assert found.problems == ("1 casts take back the cast before them: back",)
    assert found.casts == 2


def test_casts_of_something_between_are_right(net):
    """A cast out of fp32 after something was computed there is what a recipe is made of."""
    x = net.tensor("fp16")
    net.cast(net.product(net.cast(x, "fp32")), "fp16")
    net.cast(net.cast(net.tensor("fp16"), "fp32"), "bf16")
    assert net.audited(others=1).problems == ()


def test_several_problems_are_all_told(net):
    """Each has a sentence of its own."""
    x = net.tensor("fp16")
    net.product(net.tensor("fp32"))
    net.cast(net.cast(x, "fp32"), "fp16")
    assert len(net.audited(attentions=1).problems) == 3
