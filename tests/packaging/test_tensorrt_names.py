"""Every name of TensorRT that our code uses is there, in both flavours, though TensorRT itself cannot run here.

Its real Python bindings are imported over stub libraries: a misspelt or removed name is found without a GPU.
"""

import platform
import re
import sys
from pathlib import Path

import pytest
from stub_library import stub_library
from tensorrt_names import has, names_of
from tensorrt_uses import uses

ROOT = Path(__file__).resolve().parents[2]
FLAVOURS = ("tensorrt", "tensorrt_rtx")
# what the bindings ask of each library when they are loaded
STUBS = {
    "libnvinfer.so.11": (
        "createInferBuilder_INTERNAL",
        "createInferRefitter_INTERNAL",
        "createInferRuntime_INTERNAL",
        "getBuilderPluginRegistry",
        "getPluginRegistry",
    ),
    "libnvinfer_plugin.so.11": ("initLibNvInferPlugins",),
    "libnvonnxparser.so.11": (
        "createNvOnnxParserRefitter_INTERNAL",
        "createNvOnnxParser_INTERNAL",
        "getNvOnnxParserVersion",
    ),
}
# about TensorRT without naming its module
ALSO = ("runtime/vidrt/sessions/kernel_cache.py",)
# the classes and members that only one flavour has, and that code which knows its flavour uses without `hasattr`
ONLY = {
    "CudaGraphStrategy": "tensorrt_rtx",
    "DynamicShapesKernelSpecializationStrategy": "tensorrt_rtx",
    "EngineInvalidityDiagnostics": "tensorrt_rtx",
    "EngineValidity": "tensorrt_rtx",
    "IRuntimeCache": "tensorrt_rtx",
    "IRuntimeConfig.create_runtime_cache": "tensorrt_rtx",
    "IRuntimeConfig.cuda_graph_strategy": "tensorrt_rtx",
    "IRuntimeConfig.dynamic_shapes_kernel_specialization_strategy": "tensorrt_rtx",
    "IRuntimeConfig.set_runtime_cache": "tensorrt_rtx",
    "Runtime.engine_header_size": "tensorrt_rtx",
    "Runtime.get_engine_validity": "tensorrt_rtx",
}

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="TensorRT's bindings are for Linux on x86-64"
)


@pytest.fixture(scope="module")
def flavours(tmp_path_factory):
    """The names of each flavour."""
    libraries = tmp_path_factory.mktemp("stubs")
    for name, functions in STUBS.items():
        (libraries / name).write_bytes(stub_library(name, functions))
    return {
        "tensorrt": names_of("tensorrt_bindings", libraries),
        "tensorrt_rtx": names_of("tensorrt_rtx"),
    }


def sources():
    """The files about TensorRT."""
    for folder in ("runtime/vidrt", "export/vidrt_export"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "tensorrt" in name or name in ALSO or re.search(r"\btrt\b", path.read_text(encoding="utf-8")):
                yield path, name


def used():
    return [use for path, name in sources() for use in uses(path.read_text(encoding="utf-8"), name)]


def covers(listed, use):
    """Whether a name of the list is the one in use, or its class."""
    return any(f"{name}.".startswith(f"{listed}.") for name in use.names)


def problem(use, flavours):
    """What is wrong with a use, or nothing."""
    having = [flavour for flavour in FLAVOURS if has(flavours[flavour], use)]
    if not having:
        return f"{use.where}: no flavour of TensorRT has {use} (an object of our own is annotated with its type)"
    listed = [[flavour] for name, flavour in ONLY.items() if covers(name, use)]
    if having == list(FLAVOURS) or use.is_guarded or having in listed:
        return None
    return f"{use.where}: {having[0]} alone has {use}: ask hasattr, or list it here"


def test_the_code_uses_names_that_there_are(flavours):
    """Whatever our code asks of TensorRT both flavours have, or it asks first, or it is listed with its flavour."""
    assert [told for use in used() if (told := problem(use, flavours))] == []


@pytest.mark.parametrize(("name", "flavour"), ONLY.items())
def test_a_listed_name_is_used_and_in_one_flavour(flavours, name, flavour):
    """The list does not outlive its reasons."""
    assert [other for other in FLAVOURS if name in flavours[other]] == [flavour]
    assert any(covers(name, use) and not use.is_guarded for use in used())


@pytest.mark.parametrize("name", ALSO)
def test_a_file_listed_is_there(name):
    """A file that is renamed is looked at under its new name."""
    assert uses((ROOT / name).read_text(encoding="utf-8"), name)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_bindings_are_the_real_ones(flavours, flavour):
    """Classes, methods, members of enumerations and nested classes are seen."""
    for name in ("Builder.build_serialized_network", "BuilderFlag.REFIT", "ILogger.Severity.ERROR", "__version__"):
        assert name in flavours[flavour]
    assert len(flavours[flavour]) > 1000


GOOD = """
class Ours:
    cache: Cache
    def __init__(self, engine: Engine, config: Any, plan):
        self._engine, self._config, self._context = engine, config, Context(plan)
        self._trt = library()
        self._runtime = self._trt.Runtime(None)
    def close(self, engine: Engine, profiles):
        self._runtime = None
        engine.files, self._engine.close(), self._context.close(), self.cache.save(), self._config.profiling_verbosity
        return [profile.closed for profile in profiles]

def build(trt, context: Any, flags):
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    kind = trt.BuilderFlag
    parser = trt.OnnxParserRefitter(None, None)
    if hasattr(trt, "ComputeCapability") or parser.refit_from_file(""):
        flags |= kind.REFIT | getattr(trt, "ComputeCapability")
    dtype = network.get_layer(0).get_input(0).dtype.name
    return context.set_input_shape("x", network.num_layers), trt.BuilderFlag.REFIT.name, trt.__version__
"""
WRONG = [
    ("trt.Bilder()", "Bilder"),
    ("trt.BuilderFlag.FAST", "BuilderFlag.FAST"),
    ("self._trt.BuilderFlag.FAST", "BuilderFlag.FAST"),
    ("trt.ILogger.Severity.LOUD", "ILogger.Severity.LOUD"),
    ("flag = trt.BuilderFlag; flag.FAST", "BuilderFlag.FAST"),
    ("x = trt.Refitter(a, b); x.refit_from_file(c)", "Refitter.refit_from_file"),
    ("self._context.execute_async_v9(0)", "IExecutionContext.execute_async_v9"),
    ("config.set_fast()", "IBuilderConfig.set_fast or IRuntimeConfig.set_fast"),
    ("getattr(engine, 'speed')", "ICudaEngine.speed"),
    ("if hasattr(trt, 'Speed'): pass", "Speed"),
    ("network.get_layer(0).speed", "INetworkDefinition.get_layer.speed"),
    ("trt.Builder(x).create_network(0).get_input(0).shapes", "Builder.create_network.get_input.shapes"),
    ("lambda network: network.add_speed()", "INetworkDefinition.add_speed"),
    ("def f(network: Any, engine: Engine): engine.x, network.add_speed()", "INetworkDefinition.add_speed"),
    ("def f(trt, engine: Any): runtime = trt.Runtime(0); runtime.run(engine.name)", "Runtime.run"),
]


def test_right_names_pass(flavours):
    """Names through variables, members and guards bring no complaint, nor do objects of our own."""
    found = uses(GOOD, "good.py")
    assert [told for use in found if (told := problem(use, flavours))] == []
    seen = {name for use in found for name in use.names}
    assert {"BuilderFlag.REFIT", "IExecutionContext.set_input_shape", "IBuilderConfig.profiling_verbosity"} <= seen
    assert {"Runtime", "OnnxParserRefitter.refit_from_file", "INetworkDefinition.num_layers", "__version__"} <= seen
    assert not {"ICudaEngine.files", "ICudaEngine.close", "IExecutionContext.close", "IRuntimeCache.save"} & seen


@pytest.mark.parametrize(("code", "name"), WRONG)
def test_a_wrong_name_is_found(flavours, code, name):
    """A name that is nowhere is told with its place, however it is reached."""
    (told,) = {problem(use, flavours) for use in uses(f"\n{code}\n", "wrong.py")} - {None}
    assert told.startswith(f"wrong.py:2: no flavour of TensorRT has {name} (")


@pytest.mark.parametrize(
    ("code", "flavour"),
    [("network.add_plugin_v3(x)", "tensorrt"), ("config.set_compute_capability(x, 0)", "tensorrt_rtx")],
)
def test_a_name_of_one_flavour_is_found(flavours, code, flavour):
    """A name that only one flavour has needs a guard or a place in the list."""
    (use,) = uses(code, "one.py")
    assert f"{flavour} alone has" in problem(use, flavours)
    thing, name = code.split("(")[0].split(".")
    *_, use = uses(f"if hasattr({thing}, '{name}'): {code}", "one.py")
    assert problem(use, flavours) is None
