"""Devices by name, with a driver that counts as told."""

import pytest
from vidrt import devices
from vidrt.devices import Device, parse_device
from vidrt.errors import DeviceError
from vidrt_engines.cuda_driver import Gpu


@pytest.fixture
def driver(monkeypatch):
    """Makes the driver report a number of devices."""

    def report(count):
        there = [
            Gpu(index=index, name="NVIDIA H200", compute_capability="9.0", memory_bytes=1) for index in range(count)
        ]
        monkeypatch.setattr(devices, "gpus", lambda: tuple(there))

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
