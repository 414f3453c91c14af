"""The driver's answers through real ctypes pointers, from a double of its library."""

import ctypes

import pytest
from vidrt_engines import cuda_driver
from vidrt_engines.cuda_driver import Driver, Gpu

HOPPER = ("NVIDIA H200", (9, 0), 150_754_820_096)
BLACKWELL = ("NVIDIA GeForce RTX 5090", (12, 0), 34_190_458_880)


class Library:
    """libcuda as far as it is called; a function named in `failing` gives that status, one in `lacking` is absent."""

    def __init__(self, *devices, version=13010, failing=None, lacking=()):
        self.devices, self.version, self.failing, self.lacking = devices, version, failing or {}, lacking

    def __getattr__(self, name):
        if name in self.lacking or not name.startswith("cu"):
            raise AttributeError(f"undefined symbol: {name}")
        if name in self.failing:
            return lambda *_: self.failing[name]
        return lambda *arguments: getattr(self, f"_{name}")(*arguments) or 0

    def _cuDriverGetVersion(self, version):  # noqa: N802 - the driver's name
        write(version, ctypes.c_int, self.version)

    def _cuInit(self, flags):  # noqa: N802 - the driver's name
        assert flags == 0

    def _cuDeviceGetCount(self, count):  # noqa: N802 - the driver's name
        write(count, ctypes.c_int, len(self.devices))

    def _cuDeviceGet(self, device, index):  # noqa: N802 - the driver's name
        write(device, ctypes.c_int, 100 + index)

    def _cuDeviceGetName(self, name, length, device):  # noqa: N802 - the driver's name
        assert length == len(name)
        name.value = self.devices[device - 100][0].encode()

    def _cuDeviceTotalMem_v2(self, memory, device):  # noqa: N802 - the driver's name
        write(memory, ctypes.c_size_t, self.devices[device - 100][2])

    def _cuDeviceGetAttribute(self, value, attribute, device):  # noqa: N802 - the driver's name
        write(value, ctypes.c_int, self.devices[device - 100][1][{75: 0, 76: 1}[attribute]])

    def _cuGetErrorName(self, status, name):  # noqa: N802 - the driver's name
        names = {999: b"CUDA_ERROR_UNKNOWN"}
        write(name, ctypes.c_char_p, names.get(status))
        return 0 if status in names else 1


def write(pointer, kind, value):
    ctypes.cast(pointer, ctypes.POINTER(kind))[0] = value


@pytest.fixture
def ask(monkeypatch):
    """Asks a driver anew, given its library, or None for a machine without."""

    def load(library):
        def open_library(name):
            assert name in {"libcuda.so.1", "nvcuda.dll"}
            if library is None:
                raise OSError("cannot open shared object file")
            return library

        monkeypatch.setattr(cuda_driver.ctypes, "CDLL", open_library)
        return cuda_driver._asked.__wrapped__()

    return load


def test_gpus_are_told_with_what_engines_depend_on(ask):
    """Name, compute capability and memory are the driver's, beyond 32 bits, each under the index of its device."""
    assert ask(Library(HOPPER, BLACKWELL)) == Driver(
        cuda_version="13.1",
        gpus=(
            Gpu(index=0, name="NVIDIA H200", compute_capability="9.0", memory_bytes=150_754_820_096),
            Gpu(index=1, name="NVIDIA GeForce RTX 5090", compute_capability="12.0", memory_bytes=34_190_458_880),
        ),
    )


@pytest.mark.parametrize(("number", "version"), [(12090, "12.9"), (13000, "13.0"), (13010, "13.1"), (11040, "11.4")])
def test_the_cuda_version_is_spelt_as_people_do(ask, number, version):
    """The driver's 13010 is 13.1."""
    assert ask(Library(HOPPER, version=number)).cuda_version == version


def test_without_a_driver_there_are_no_gpus(ask):
    """A machine without a driver has no GPUs and no error."""
    found = ask(None)
    assert (found.gpus, found.cuda_version) == ((), None)
    assert found.problem == f"there is no CUDA driver ({cuda_driver._LIBRARY})"


def test_a_driver_without_gpus_says_so(ask):
    """A driver whose devices are all hidden still has a version."""
    hidden = Driver(cuda_version="13.1", problem="the CUDA driver shows no GPU")
    assert ask(Library()) == hidden
    assert ask(Library(HOPPER, failing={"cuInit": 100})) == hidden


@pytest.mark.parametrize(
    ("function", "version"),
    [
        ("cuDriverGetVersion", None),
        ("cuInit", "13.1"),
        ("cuDeviceGetCount", "13.1"),
        ("cuDeviceGet", "13.1"),
        ("cuDeviceGetName", "13.1"),
        ("cuDeviceTotalMem_v2", "13.1"),
        ("cuDeviceGetAttribute", "13.1"),
    ],
)
def test_a_driver_that_fails_raises_nothing(ask, function, version):
    """Whichever call fails or is absent, there are no GPUs, and the reason names the call and its error."""
    failed = ask(Library(HOPPER, failing={function: 999}))
    problem = f"the CUDA driver fails: {function} gave CUDA_ERROR_UNKNOWN"
    assert failed == Driver(cuda_version=version, problem=problem)
    assert ask(Library(HOPPER, failing={function: 7})).problem.endswith(f"{function} gave 7")
    absent = ask(Library(HOPPER, lacking={function}))
    assert (absent.gpus, absent.problem) == ((), f"the CUDA driver fails: undefined symbol: {function}")


def test_an_error_without_a_name_keeps_its_number(ask):
    """A driver too old to name its errors still gives their numbers."""
    library = Library(HOPPER, failing={"cuInit": 999}, lacking={"cuGetErrorName"})
    assert ask(library).problem == "the CUDA driver fails: cuInit gave 999"


def test_this_machine_can_be_asked():
    """The real driver, or its absence, gives GPUs or the reason why there are none."""
    found = cuda_driver.cuda_driver()
    assert bool(found.gpus) != bool(found.problem)
    assert cuda_driver.gpus() == found.gpus
