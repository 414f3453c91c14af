"""Devices by name, with a driver that counts as told."""

import ctypes

import pytest
from vidrt import devices
from vidrt.devices import Device, cuda_device_count, parse_device
from vidrt.errors import DeviceError


@pytest.fixture
def driver(monkeypatch):
    """Makes the driver report a number of devices."""

    def report(count):
        monkeypatch.setattr(devices, "cuda_device_count", lambda: count)

    return report


@pytest.mark.parametrize(
    ("count", "name", "kind", "index"),
    [
        (0, "auto", "cpu", 0),
        (0, "cpu", "cpu", 0),
        (2, "auto", "cuda", 0),
        (2, "cpu", "cpu", 0),
        (2, "cuda", "cuda", 0),
        (2, "cuda:0", "cuda", 0),
        (2, "cuda:1", "cuda", 1),
    ],
)
def test_names_of_devices(driver, count, name, kind, index):
    """`auto` takes the first CUDA device where there is one; every other name means what it says."""
    driver(count)
    assert parse_device(name) == Device(kind=kind, index=index)


def test_devices_are_shown_as_they_are_asked_for():
    """A device prints as the name that chooses it."""
    assert str(Device(kind="cpu")) == "cpu"
    assert str(Device(kind="cuda", index=3)) == "cuda:3"


@pytest.mark.parametrize(
    "name", ["", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:1.0", "auto:1", "cpu:0", " cpu"]
)
@pytest.mark.parametrize("count", [0, 2])
def test_an_unknown_name_lists_those_that_are_known(driver, count, name, sentence):
    """A name that is none is refused with those that there are, whatever the machine has."""
    driver(count)
    with pytest.raises(DeviceError) as error:
        parse_device(name)
    assert sentence(error) == f"The device should be auto, cpu, cuda or cuda:N, not '{name}'."


@pytest.mark.parametrize(("count", "name"), [(0, "cuda"), (0, "cuda:0"), (2, "cuda:2"), (2, "cuda:99999999999999")])
def test_a_device_that_is_not_there_is_an_error(driver, count, name, sentence):
    """A device that cannot be had is never silently another one."""
    driver(count)
    with pytest.raises(DeviceError) as error:
        parse_device(name)
    assert sentence(error) == (
        f"The device {name} is not there: the driver reports {count} CUDA devices; use --device cpu."
    )


class Driver:
    """A CUDA driver's library with two devices, or with errors."""

    def __init__(self, init=0, count=0):
        self.init, self.count = init, count

    def cuInit(self, flags):  # noqa: N802 - the driver's name
        assert flags == 0
        return self.init

    def cuDeviceGetCount(self, pointer):  # noqa: N802 - the driver's name
        ctypes.cast(pointer, ctypes.POINTER(ctypes.c_int))[0] = 2
        return self.count


@pytest.mark.parametrize(("library", "count"), [(Driver(), 2), (Driver(init=100), 0), (Driver(count=3), 0)])
def test_the_driver_is_asked(monkeypatch, library, count):
    """The count is the driver's; a driver that fails has none."""
    monkeypatch.setattr(devices.ctypes, "CDLL", lambda name: library if name == "libcuda.so.1" else None)
    assert cuda_device_count.__wrapped__() == count


def test_without_a_driver_there_are_no_devices(monkeypatch):
    """A machine that has no driver has no devices and no error."""

    def missing(_):
        raise OSError("no such library")

    monkeypatch.setattr(devices.ctypes, "CDLL", missing)
    assert cuda_device_count.__wrapped__() == 0
