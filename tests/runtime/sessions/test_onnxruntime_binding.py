"""Runs of onnxruntime on arrays of the device: the double's memory is the host's, so its CPU provider reads it."""

import sys

import numpy as np
import pytest
from host_cuda import HostCuda
from vidrt.cuda.arrays import DeviceArray
from vidrt.cuda.device import CudaDevice
from vidrt.devices import Device
from vidrt.sessions.component_engine import ComponentEngine
from vidrt.sessions.onnxruntime_binding import run_on_device
from vidrt.sessions.resources import Resources
from vidrt_engines.manifest import read_bundle
from vidrt_engines.names import Component
from vidrt_engines.places import DEFAULT_BUNDLE, find_bundle

CPU = ("cpu", 0)


@pytest.fixture
def device():
    with CudaDevice(HostCuda()) as device:
        yield device


@pytest.fixture
def opened():
    """Opens a component of the embedded bundle on the CPU: its manifest's entry and its session."""
    folder = find_bundle(DEFAULT_BUNDLE)

    def open_component(component, place=None):
        engine = read_bundle(folder).engines[Component(component)][0]
        return ComponentEngine(Component(component), engine, folder, place or Device(kind="cpu"))

    return open_component


def transformer_arrays():
    draw = np.random.default_rng(0).standard_normal
    shapes = {"latents": (2, 4, 48), "context": (2, 5, 128), "timestep": (2, 1)}
    shapes |= {"rope_cos": (4, 80), "rope_sin": (4, 80)}
    shapes["perturbation"] = (2, 6, 3)
    return {name: draw(shape, np.float32) for name, shape in shapes.items()}


def test_results_of_known_shape_stay_on_the_device(opened, device):
    """The transformer's velocity is written to the device, to the bit what the host would get."""
    component, arrays = opened("transformer"), transformer_arrays()
    with component.held():
        session = component.load()
        wanted = session.run(arrays)["velocity"]
        for placed in (arrays, ["latents"], ["context", "rope_cos"]):
            mixed = {name: device.put(a) if name in placed else a for name, a in arrays.items()}
            (velocity,) = run_on_device(session._session, component.engine, mixed, device, CPU).values()
            assert isinstance(velocity, DeviceArray)
            assert np.array_equal(velocity, wanted)


def test_results_of_other_shapes_come_to_the_host(opened, device):
    """Frames have sizes that only the graph knows."""
    component = opened("vae_decoder")
    latents = np.random.default_rng(0).standard_normal((1, 48, 2, 1, 1), np.float32)
    arrays = {"latents": latents, "timestep": np.full(1, 0.05, np.float32)}
    with component.held():
        session = component.load()
        mixed = {**arrays, "latents": device.put(latents)}
        (frames,) = run_on_device(session._session, component.engine, mixed, device, CPU).values()
        assert isinstance(frames, np.ndarray)
        assert np.array_equal(frames, session.run(arrays)["frames"])


def test_on_the_cpu_arrays_of_the_device_are_taken_too(opened, device):
    """Whatever comes to a session is played: the CPU reads it from the device and gives numpy's arrays."""
    component, arrays = opened("transformer"), transformer_arrays()
    velocity = component.run({name: device.put(array) for name, array in arrays.items()})["velocity"]
    assert isinstance(velocity, np.ndarray)
    assert np.array_equal(velocity, component.run(arrays)["velocity"])


@pytest.mark.parametrize("installed", [True, False])
def test_values_go_to_the_gpu_where_the_bindings_are(opened, gpu_machine, monkeypatch, installed):
    """On CUDA latents live on the device if NVIDIA's bindings are installed; on the CPU they always stay."""
    assert gpu_machine
    if not installed:
        monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    values = np.ones(3, np.float32)
    with Resources(Device(kind="cuda")) as resources:
        placed = opened("transformer", resources).put(values)
        assert isinstance(placed, DeviceArray if installed else np.ndarray)
        assert np.array_equal(placed, values)
    assert opened("transformer").put(values) is values
