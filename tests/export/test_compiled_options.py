"""What `build-engines` says of the options of compiled engines."""

import importlib.metadata

import pytest
import tiny_bundles
import tiny_ltx
import torch
from vidrt_export.backends import tensorrt

RTX = ["--backend", "tensorrt-rtx"]
BAD_REQUESTS = {
    "no resolution": (["--resolution", "large"], "The resolution should be HEIGHTxWIDTH or three of them"),
    "half a resolution": (["--resolution", "64"], "The resolution should be HEIGHTxWIDTH or three of them"),
    "two resolutions": (["--resolution", "64x64:96x96"], "three of them as MIN:OPT:MAX"),
    "a resolution with more": (["--resolution", "64x64x9"], "three of them as MIN:OPT:MAX"),
    "a negative resolution": (["--resolution", "-64x64"], "three of them as MIN:OPT:MAX"),
    "an odd resolution": (["--resolution", "64x64:64x100:96x128"], "divisible by 32, and 100 in"),
    "no height": (["--resolution", "0x64"], "divisible by 32, and 0 in"),
    "a falling height": (["--resolution", "96x64:64x64:96x96"], "should rise from its minimum"),
    "a falling width": (["--resolution", "64x64:64x96:96x64"], "should rise from its minimum"),
    "no frames": (["--frames", "few"], "The frames should be a number or three"),
    "two counts": (["--frames", "9:17"], "The frames should be a number or three"),
    "negative frames": (["--frames", "-7"], "The frames should be a number or three"),
    "zero frames": (["--frames", "0"], "should be 8·n + 1, and 0 in"),
    "odd frames": (["--frames", "9:16:25"], "should be 8·n + 1, and 16 in"),
    "falling frames": (["--frames", "9:25:17"], "should rise from its minimum"),
    "another number of frames": ([*["--resolution", "64x64"] * 2, *["--frames", "9"] * 3], "There are 2 --resolution"),
    "no batch": (["--batch", "0"], "The batch should be 1 or more, not 0"),
    "a negative batch": (["--batch", "-2"], "The batch should be 1 or more, not -2"),
    "a batch that is no number": (["--batch", "two"], "'two' is not a valid integer"),
    "a limit that is no size": (["--memory-limit", "lots"], "A size of memory should be like 8GiB"),
    "a limit of nothing": (["--memory-limit", "0"], "A size of memory should be like 8GiB"),
    "no tolerance": (["--tolerance", "0"], "'--tolerance': 0.0 is not in the range"),
    "a negative tolerance": (["--tolerance", "-0.1"], "'--tolerance': -0.1 is not in the range"),
    "a tolerance that is no number": (["--tolerance", "nan"], "'--tolerance': nan is not in the range"),
    "negative minutes": (["--check-minutes", "-1"], "'--check-minutes': -1.0 is not in the range"),
    "minutes that are no number": (["--check-minutes", "nan"], "'--check-minutes': nan is not in the range"),
}  # fmt: skip
COMPILED = (
    ["--resolution", "64x64"], ["--frames", "9"], ["--batch", "2"], ["--memory-limit", "1GiB"], ["--strip-weights"],
    ["--stream-weights"], ["--check-minutes", "1"], ["--tolerance", "0.1"],
)  # fmt: skip


@pytest.fixture
def refused(source, tmp_path, build_engines, no_tracing, monkeypatch):  # noqa: ARG001 - no graph may be traced
    """A function of options: the one sentence on stderr; no weight is read, and nothing written."""

    def unread(_):
        raise AssertionError("weights were read")

    monkeypatch.setattr("vidrt_export.writing.weights._read", unread)

    def run(*options):
        result = build_engines(source, "--out", tmp_path / "out", *options)
        assert result.status == 2
        assert result.err.startswith("build-engines: ")
        assert result.err.endswith(".\n")
        assert result.err.count("\n") == 1
        assert not result.out
        assert not (tmp_path / "out").exists()
        return result.err

    return run


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_requests_are_one_sentence(refused, name):
    """A value that cannot be right is one sentence that says what was expected and what came."""
    options, told = BAD_REQUESTS[name]
    assert told in refused(*RTX, *options)


@pytest.mark.parametrize("option", COMPILED, ids=lambda option: option[0])
def test_no_option_is_passed_over(refused, option):
    """What concerns compiled engines alone is refused where none is compiled."""
    told = f"{option[0]} concerns compiled engines: give --backend tensorrt-rtx as well"
    assert told in refused(*option)
    assert told in refused("--backend", "onnxruntime", *option)


@pytest.mark.parametrize(("backend", "extra"), [("tensorrt", "tensorrt"), ("tensorrt-rtx", "rtx")])
def test_a_missing_library_is_told_with_its_line(refused, monkeypatch, backend, extra):
    """Where the flavour is not installed, the sentence has the line that installs it."""

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    module = backend.replace("-", "_")
    assert f"{module} is not installed; run: pip install 'vidrt[export,{extra}]'" in refused("--backend", backend)


@pytest.fixture
def without_gpu(monkeypatch):
    """A machine on which both flavours are installed and no driver is."""
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "11.4.0")
    monkeypatch.setattr(tensorrt, "gpus", tuple)


@pytest.mark.usefixtures("without_gpu")
def test_tensorrt_proper_needs_its_gpu(refused):
    """Without a GPU the sentence names the flavour that needs none."""
    told = refused("--backend", "tensorrt")
    assert "TensorRT compiles engines on the GPU that they are for, and there is none here" in told
    assert "--backend tensorrt-rtx" in told


@pytest.mark.usefixtures("without_gpu")
def test_stripping_needs_a_driver(refused):
    """Leaving weights out of plans is refused where it would fail after minutes."""
    assert "--strip-weights needs a CUDA driver, and there is none here" in refused(*RTX, "--strip-weights")


def dry_run(build_engines, source, tmp_path, *options):
    result = build_engines(source, "--out", tmp_path / "out", "--dry-run", *options)
    assert (result.status, result.err) == (0, "")
    assert not (tmp_path / "out").exists()
    return result.out.splitlines()


@pytest.mark.usefixtures("no_tracing")
def test_a_dry_run_shows_every_profile(source, tmp_path, build_engines):
    """For each engine its size and a line for each profile, all its axes with their spans; then disk and memory."""
    options = [*RTX, "--resolution", "64x64:64x96:96x128", "--resolution", "256x256", "--frames", "9:9:17"]
    first, *rows, total = dry_run(build_engines, source, tmp_path, *options, "--batch", "2")
    assert first == "LTX-Video 0.9.0"
    assert [row.split()[:3] for row in rows if not row.startswith(" ")] == [
        [component, "tensorrt-rtx", "bf16"] for component in tiny_bundles.COMPONENTS
    ]
    assert [row.strip() for row in rows if row.startswith(" ")] == [
        "batch 1:1:1, text_tokens 1:128:256",  # both buckets are one to the text encoder
        "batch 1:1:2, text_tokens 1:128:256, timestep_tokens 1:1:36, tokens 8:12:36",
        "batch 1:1:2, text_tokens 1:128:256, timestep_tokens 1:1:192, tokens 128:128:192",
        "batch 1:1:1, columns 64:96:128, frames 1:9:17, rows 64:64:96",
        "batch 1:1:1, columns 256:256:256, frames 1:9:17, rows 256:256:256",
        "batch 1:1:1, latent_columns 2:3:4, latent_frames 2:2:3, latent_rows 2:2:3",
        "batch 1:1:1, latent_columns 8:8:8, latent_frames 2:2:3, latent_rows 8:8:8",
    ]
    assert "of disk; about 9" in total
    assert total.endswith(" MB of memory at the peak")


def precisions(lines):
    return [row.split()[2] for row in lines if not row.startswith((" ", "LTX")) and "of disk" not in row]


@pytest.mark.usefixtures("no_tracing")
@pytest.mark.parametrize(
    ("stored", "options", "wanted"),
    [
        (torch.float32, [], ["bf16"] * 4),
        (torch.bfloat16, [], ["bf16"] * 4),
        (torch.float16, [], ["bf16", "fp16", "fp16", "fp16"]),
        (torch.float32, ["--precision", "fp16"], ["bf16", "fp16", "fp16", "fp16"]),
        (torch.float32, ["--precision", "fp16", "--component", "text_encoder"], ["fp16"]),
        (torch.float16, ["--component", "text_encoder"], ["fp16"]),
        (torch.float16, ["--precision", "bf16"], ["bf16"] * 4),
        (torch.bfloat16, ["--precision", "fp32"], ["fp32"] * 4),
    ],
)
def test_the_default_precision(tmp_path, build_engines, stored, options, wanted):
    """bf16, or fp16 where weights are stored so; T5 in fp16 only if it is named."""
    source = tmp_path / "ltx-video"
    pipeline = tiny_ltx.build("0.9.0")
    for model in (pipeline.transformer, pipeline.vae, pipeline.text_encoder):
        model.to(stored)
    pipeline.save_pretrained(source)
    assert precisions(dry_run(build_engines, source, tmp_path, *RTX, *options)) == wanted
