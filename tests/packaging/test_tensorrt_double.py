"""The double of TensorRT that tests play plans with offers nothing that the real module lacks."""

import enum
import inspect

import pytest
from host_cuda import HostCuda
from trt_double import RTX_ONLY, Double


@pytest.fixture(scope="module")
def real():
    return pytest.importorskip("tensorrt_rtx")


def own_names(thing):
    return {name for name in vars(thing) if not name.startswith("_")}


def test_every_name_of_the_double_is_tensorrts(real):
    """Classes, methods, properties and members of enumerations."""
    module = Double(HostCuda()).module
    names = own_names(module)
    assert len(names) > 10
    missing = [name for name in names if not hasattr(real, name)]
    for name in names:
        thing = getattr(module, name)
        if inspect.isclass(thing):
            members = own_names(thing) - {"double"}
            missing += [f"{name}.{member}" for member in members if not hasattr(getattr(real, name), member)]
    assert missing == []


def test_enumerations_have_the_same_members(real):
    """What can be chosen is what TensorRT offers, under the same numbers."""
    for name, thing in vars(Double(HostCuda()).module).items():
        if inspect.isclass(thing) and issubclass(thing, enum.Enum):
            assert {m.name: m.value for m in thing} == {n: m.value for n, m in getattr(real, name).__members__.items()}


def test_arguments_have_tensorrts_names(real):
    """A method takes the arguments that the real one documents, in their order."""
    module = Double(HostCuda()).module
    for class_name in own_names(module):
        thing = getattr(module, class_name)
        for name, method in inspect.getmembers(thing, inspect.isfunction):
            said = getattr(getattr(real, class_name, None), name, None)
            if name.startswith("_") or said is None or class_name == "ILogger":
                continue
            wanted = list(inspect.signature(method).parameters)[1:]
            assert all(f"{argument}:" in said.__doc__ for argument in wanted), f"{class_name}.{name}"


def test_the_other_flavour_lacks_what_is_rtxs():
    """Code that takes one flavour for the other fails on the double as it would on the library."""
    module = Double(HostCuda(), name="tensorrt", version="11.4.0.9").module
    assert not [part.__name__ for part in RTX_ONLY if hasattr(module, part.__name__)]
