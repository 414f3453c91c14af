"""What the exporter's tests share: cached graphs, checkpoints to spoil, and the command in this process."""

import shutil
import sys
from types import SimpleNamespace

import pytest
from traces import patch_tracing


@pytest.fixture
def cached_traces(monkeypatch, traces):
    """Build with the session's graphs instead of tracing anew."""
    patch_tracing(monkeypatch, traces)


@pytest.fixture
def no_tracing(monkeypatch):
    """Let any tracing fail the test."""

    def refused(*_, **__):
        raise AssertionError("a graph was traced")

    patch_tracing(monkeypatch, refused)


@pytest.fixture(scope="session")
def fused_checkpoint(tmp_path_factory):
    """A tiny checkpoint whose heads are as wide as TensorRT's kernels of attention ask for, not to be changed."""
    import tiny_ltx

    return tiny_ltx.save(tmp_path_factory.mktemp("fused") / "tiny", "0.9.5", changes=tiny_ltx.FUSED_HEADS)


@pytest.fixture
def source(checkpoints, tmp_path):
    """A tiny checkpoint of the plainest form that a test may change."""
    return shutil.copytree(checkpoints("0.9.0"), tmp_path / "ltx-video")


@pytest.fixture
def build_engines(monkeypatch, capsys):
    """The command, run in this process: a function of its arguments that gives status, out and err."""
    from vidrt_export.cli import main

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["build-engines", *map(str, arguments)])
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = stop.code or 0
        out, err = capsys.readouterr()
        return SimpleNamespace(status=status, out=out, err=err)

    return run
