"""Runs of onnxruntime on arrays that lie on the device, without a way over the host."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from vidrt_engines.manifest import Engine
from vidrt_engines.tensors import TensorSpec

from vidrt.cuda.arrays import DeviceArray, MixedArray, Shape
from vidrt.cuda.device import CudaDevice
from vidrt.sessions.fitting import axis_sizes


def run_on_device(
    session: Any, engine: Engine, arrays: Mapping[str, MixedArray], device: CudaDevice, place: tuple[str, int]
) -> dict[str, Any]:
    """Runs a graph once.

    Outputs whose shapes follow from the inputs' are written to the device, others to the host.

    Args:
        session: onnxruntime's.
        engine: as the manifest describes it.
        arrays: that fit the manifest, at least one of them on the device.
        device: where they are.
        place: the same in onnxruntime's words, such as ("cuda", 0).
    """
    binding = session.io_binding()
    for name, array in arrays.items():
        if isinstance(array, DeviceArray):
            binding.bind_input(name, *place, np.float32, array.shape, array.pointer)
        else:
            binding.bind_cpu_input(name, np.ascontiguousarray(array))
    sizes = axis_sizes(engine.inputs, {name: array.shape for name, array in arrays.items()})
    kept = {spec.name: _empty(spec, sizes, device) for spec in engine.outputs}
    for name, target in kept.items():
        if target is None:
            binding.bind_output(name)
        else:
            binding.bind_output(name, *place, np.float32, target.shape, target.pointer)
    device.synchronise()  # onnxruntime works on a stream of its own, and is done with it when it returns
    session.run_with_iobinding(binding)
    values = dict(zip(kept, binding.get_outputs(), strict=True))
    return {name: values[name].numpy() if target is None else target for name, target in kept.items()}


def _empty(spec: TensorSpec, sizes: Mapping[str, int], device: CudaDevice) -> DeviceArray | None:
    if spec.dtype != "float32" or not all(axis.isdigit() or axis in sizes for axis in spec.axes):
        return None
    shape: Shape = tuple(int(axis) if axis.isdigit() else sizes[axis] for axis in spec.axes)
    return device.empty(shape)
