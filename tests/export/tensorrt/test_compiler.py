"""What is told of processes that do not do what they should."""

import os
import stat
import sys

import pytest
from vidrt_engines.names import Backend, Precision
from vidrt_export.tensorrt import compiler
from vidrt_export.tensorrt.compiler import compile_plan, run_process
from vidrt_export.tensorrt.job import Expected, Job
from vidrt_reference.checkpoint.errors import CheckpointError

DEEDS = {
    'print(\'{"error": "no kernel"}\'); sys.exit(1)': r"^TensorRT cannot build the part: no kernel\.$",
    "print('[TRT] [E] out of luck', file=sys.stderr); print('{\"error\": \"no plan\"}')": (
        r"^TensorRT cannot build the part: no plan; out of luck\.$"
    ),
    "print('[TRT] [E] out of luck\\nand so on', file=sys.stderr); sys.exit(3)": (
        r"^The process that worked on the part ended with 3: out of luck\.$"
    ),
    "raise ValueError('all wrong')": r"^The process that worked on the part ended with 1: ValueError: all wrong\.$",
    "os.kill(os.getpid(), 9)": (
        r"^The process that worked on the part ended with -9, as a process does that the system stops for lack of "
        r"memory: it said nothing\.$"
    ),
    "os.kill(os.getpid(), 11)": r"^The process that worked on the part ended with -11: it said nothing\.$",
    "pass": r"^The process that worked on the part ended with 0: it said nothing\.$",
}


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """A function of a line of Python: what is started instead of a process of ours."""

    def use(deed):
        path = tmp_path / "interpreter"
        path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{deed}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(compiler.sys, "executable", str(path))

    return use


@pytest.mark.skipif(sys.platform == "win32", reason="scripts start otherwise there")
@pytest.mark.parametrize("deed", DEEDS)
def test_a_process_that_fails_is_one_sentence(interpreter, tmp_path, deed):
    """An error it tells, what its library complained of, or how it ended."""
    interpreter(deed)
    with pytest.raises(CheckpointError, match=DEEDS[deed]):
        run_process("compile", {}, tmp_path, "part")


@pytest.mark.skipif(sys.platform == "win32", reason="scripts start otherwise there")
def test_progress_comes_before_the_report(interpreter, tmp_path):
    """Each step is handed on as it is told, and the report is what is returned."""
    lines = ['{"progress": 0.25}', '{"progress": 1}', '{"report": {"a": 1}}']
    interpreter(f"[print(line) for line in {lines}]")
    told = []
    assert run_process("compile", {}, tmp_path, "part", told.append) == {"a": 1}
    assert told == [0.25, 1]


@pytest.mark.skipif(sys.platform == "win32", reason="scripts start otherwise there")
def test_a_process_is_ended_with_what_waits_for_it(interpreter, tmp_path):
    """Where following it fails, it is killed rather than left behind."""
    pid = tmp_path / "pid"
    interpreter(f"print(os.getpid(), file=open({str(pid)!r}, 'w')); print('?', flush=True); time.sleep(99)")
    with pytest.raises(ValueError, match="Expecting value"):
        run_process("compile", {}, tmp_path, "part")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_graph_that_is_none_is_refused_by_the_parser(tmp_path):
    """The real compiler's own complaint is in the sentence."""
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    job = Job(
        backend=Backend.TENSORRT_RTX, graph=str(tmp_path / "model.onnx"), initializers={}, profiles=(),
        plan=str(tmp_path / "model.plan"),
        expected=Expected(precision=Precision.FP16, attentions=0, fused=0, others=0),
    )  # fmt: skip
    with pytest.raises(CheckpointError, match=r"^TensorRT cannot build the part: the parser refused the graph: .*\.$"):
        compile_plan(job, tmp_path, "part", lambda _: None)
    assert not (tmp_path / "model.plan").exists()
