"""What all engines of a pipeline share: the device, its memory and its limit, and where notes go."""

from collections.abc import Callable

from vidrt.closing import Closing
from vidrt.cuda.device import CudaDevice
from vidrt.cuda.driver import DriverCuda
from vidrt.devices import Device


def _silent(_: str) -> None:
    pass


class Resources(Closing):
    """Where a pipeline's engines run, opened when the first of them needs it.

    Args:
        device: the CPU or a CUDA device.
        memory_limit: on the CPU bytes that the process may take of its own, on CUDA bytes of device memory for an
            engine that can stream its weights; None is all there is.
        note: shows a line to the user.
    """

    def __init__(
        self, device: Device, *, memory_limit: int | None = None, note: Callable[[str], None] = _silent
    ) -> None:
        self.device, self.memory_limit, self.note = device, memory_limit, note
        self._cuda: CudaDevice | None = None

    def cuda(self) -> CudaDevice:
        """The CUDA device, opened at the first call.

        Raises:
            MissingExtraError: NVIDIA's bindings are not installed.
            EngineError: CUDA does not start.
        """
        if self._cuda is None:
            self._cuda = CudaDevice(DriverCuda(self.device.index))
        return self._cuda

    def release_idle(self) -> None:
        """Gives device memory that nobody uses back, before another engine is opened."""
        if self._cuda is not None:
            self._cuda.pool.trim()

    def close(self) -> None:
        """Releases the device's memory; may be called twice."""
        if self._cuda is not None:
            self._cuda.close()
            self._cuda = None
