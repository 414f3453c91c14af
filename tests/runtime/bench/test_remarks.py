"""What the shares of the machine's best are shares of."""

import dataclasses
from types import SimpleNamespace

import pytest
from vidrt import cpu
from vidrt.bench.remarks import peak_remarks
from vidrt.bench.report import Phase
from vidrt.bench.roofline import Demand
from vidrt.devices import Device
from vidrt_engines.names import Backend, Precision

KNOWN = Phase(component="transformer", opening=0.0, runs=1, first=1.0, typical=1.0, total=1.0, demand=Demand(flops=1.0))
CPU = Device(kind="cpu")


@pytest.fixture
def told(demo, monkeypatch):
    """A function of the transformer's backend and precision: the remarks on a run, on a CPU that computes in bf16."""
    monkeypatch.setattr(cpu, "computes_bf16", lambda: True)
    engine = demo.components["transformer"].engine.engine

    def tell(backend=Backend.ONNXRUNTIME, precision=Precision.BF16, place=CPU, **changes):
        own = dataclasses.replace(engine, backend=backend, precision=precision)
        parts = {"transformer": SimpleNamespace(engine=SimpleNamespace(engine=own))}
        return " ".join(peak_remarks([dataclasses.replace(KNOWN, **changes)], parts, place))

    return tell


def test_lower_precisions_are_held_against_fp32(told):
    """int8 and OpenVINO's bf16 are named, with what more than all means; what onnxruntime widens needs no remark."""
    for lower in ({"precision": Precision.INT8}, {"backend": Backend.OPENVINO}):
        assert told(**lower).startswith(
            "The best is that of fp32 for transformer too, which computes in less: what is above"
        )
    assert told() == ""


def test_what_is_not_known_is_told(told):
    """A bundle without operations, with what adds them, and a GPU, whose best is not measured."""
    assert "Run its build-engines again" in told(demand=Demand())
    assert told(place=Device(kind="cuda")).startswith("How near the GPU came to its best is not known")
