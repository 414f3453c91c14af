"""TensorRT for RTX's own verdict on a plan: the real library without a driver, a double for what needs one."""

from enum import IntEnum
from types import SimpleNamespace

import pytest
from machines import NO_DRIVER, driver, gpu, pretend
from vidrt.plan_header import check_header
from vidrt.validity import Invalid, Unknown, Valid
from vidrt_engines.cuda_driver import gpus
from vidrt_engines.manifest import BundleFile, Engine
from vidrt_engines.names import Backend, Precision

CURE = "run: build-engines"
ADA = gpu("NVIDIA GeForce RTX 4090", "8.9")


class Verdict(IntEnum):
    VALID, SUBOPTIMAL, INVALID = range(3)


FLAGS = ("VERSION_MISMATCH", "UNSUPPORTED_CC", "OLD_CUDA_DRIVER", "OLD_CUDA_RUNTIME", "INSUFFICIENT_GPU_MEMORY",
         "MALFORMED_ENGINE", "CUDA_ERROR")  # fmt: skip
BITS = {name: 1 << place for place, name in enumerate(FLAGS)}


def library(verdict, *reasons):
    """The module as far as it is asked, with a verdict on every plan."""

    class Runtime:
        engine_header_size = 64

        def __init__(self, logger):
            assert logger is not None

        def get_engine_validity(self, header):
            assert header == b"vtrt" + bytes(60)
            return verdict, sum(BITS[reason] for reason in reasons)

    diagnostics = SimpleNamespace(__members__=BITS)
    return SimpleNamespace(Runtime=Runtime, EngineValidity=Verdict, EngineInvalidityDiagnostics=diagnostics)


@pytest.fixture
def engine():
    return Engine(
        backend=Backend.TENSORRT_RTX,
        precision=Precision.BF16,
        files=(BundleFile(path="plan", bytes=1, sha256="0"),),
        inputs=(),
        outputs=(),
        key={"tensorrt": "1.7.1.116", "compute_capability": "8.0 8.6 8.9 12.0+"},
    )


@pytest.fixture
def ask(monkeypatch, tmp_path, engine):
    """Asks a double about a plan of 1000 bytes on a machine with a driver."""
    pretend(monkeypatch, driver(ADA, cuda_version="12.4"))
    monkeypatch.setattr("vidrt.sessions.tensorrt_library.logger", lambda _: "a logger")
    (tmp_path / "plan").write_bytes(b"vtrt" + bytes(996))
    return lambda *verdict: check_header(library(*verdict), engine, tmp_path / "plan", ADA, CURE)


def test_a_valid_plan(ask):
    """Only the header is read, and there is nothing to say."""
    assert ask(Verdict.VALID) == Valid()


def test_a_plan_that_is_not_at_its_best(ask):
    """A plan that runs below its best is valid with a note."""
    found = ask(Verdict.SUBOPTIMAL, "UNSUPPORTED_CC")
    assert isinstance(found, Valid)
    assert "suboptimal" in found.note


@pytest.mark.parametrize(
    ("reason", "field", "engine_has", "here"),
    [
        ("VERSION_MISMATCH", "TensorRT version", "1.7.1.116", "another"),
        ("UNSUPPORTED_CC", "compute capability", "8.0 8.6 8.9 12.0+", "8.9"),
        ("OLD_CUDA_DRIVER", "CUDA driver", "a newer one", "12.4"),
        ("OLD_CUDA_RUNTIME", "CUDA runtime", "a newer one", "an older one"),
        ("INSUFFICIENT_GPU_MEMORY", "GPU memory", "more than there is", "140.4 GiB"),
        ("MALFORMED_ENGINE", "header", "that of a plan for tensorrt-rtx", "another"),
    ],
)
def test_each_reason_of_the_library(ask, reason, field, engine_has, here):
    """Each of the library's reasons becomes a field that differs, also beside others."""
    found = ask(Verdict.INVALID, reason)
    assert (found.field, found.engine, found.here) == (field, engine_has, here)
    assert found.cure
    assert isinstance(ask(Verdict.INVALID, reason, "CUDA_ERROR"), Invalid)


def test_what_the_library_cannot_say_is_unknown(ask):
    """A failing CUDA, or no reason at all, makes no engine invalid."""
    assert ask(Verdict.INVALID, "CUDA_ERROR") == Unknown(reason="TensorRT for RTX cannot say: CUDA_ERROR")
    assert ask(Verdict.INVALID) == Unknown(reason="TensorRT for RTX cannot say: it finds no GPU")


@pytest.fixture
def real(tmp_path, engine, plan, monkeypatch):
    """Asks the real library, without a driver, about a change of a real plan."""
    trt = pytest.importorskip("tensorrt_rtx")
    pretend(monkeypatch, NO_DRIVER)

    def check(change):
        (tmp_path / "plan").write_bytes(change(plan))
        return check_header(trt, engine, tmp_path / "plan", None, CURE)

    return check


def test_every_reason_of_the_installed_library_is_known():
    """The library has no reason that is not among those above."""
    trt = pytest.importorskip("tensorrt_rtx")
    assert {name: int(flag) for name, flag in trt.EngineInvalidityDiagnostics.__members__.items()} == BITS
    assert {name: int(verdict) for name, verdict in trt.EngineValidity.__members__.items()} == {
        verdict.name: verdict.value for verdict in Verdict
    }


@pytest.mark.skipif(bool(gpus()), reason="the library asks the GPU that is there")
def test_a_real_plan(real):
    """A good plan is never invalid: without a driver it cannot be checked."""
    assert real(lambda plan: plan) == Unknown(reason="TensorRT for RTX cannot say: it finds no GPU")


DAMAGES = {
    "empty": lambda _: b"",
    "cut in its header": lambda plan: plan[:63],
    "foreign": lambda plan: b"ftrt" + plan[4:],
    "shifted": lambda plan: plan[1:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_real_plan_that_was_damaged(real, damage):
    """A header that is cut or foreign is found by the library, with or without a driver, and nothing is printed."""
    found = real(DAMAGES[damage])
    assert isinstance(found, Invalid)
    assert found.field == "header"
