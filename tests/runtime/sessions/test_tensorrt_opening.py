"""Opening plans: which are refused and when, compiled kernels that are kept, weights that are streamed or put in."""

import dataclasses
import sys

import numpy as np
import pytest
import trt_double
from double_bundles import SMALL
from trt_double import PlanText
from vidrt.errors import EngineError, MissingExtraError, OutOfMemoryError, RequestError
from vidrt.pipelines.load import load_pipeline
from vidrt.sessions import tensorrt_library
from vidrt_engines.manifest import bundle_path, read_bundle, write_bundle
from vidrt_engines.names import Backend, Component

RTX = "tensorrt-rtx"
LARGE = ((96, 96, 9, 1), (128, 128, 17, 128), (160, 160, 25, 256))


def engine_of(folder, component="transformer", backend=RTX):
    engines = read_bundle(folder).engines[Component(component)]
    return next(engine for engine in engines if engine.backend == backend)


def plan_of(folder, component="transformer"):
    return bundle_path(folder, engine_of(folder, component).files[0].path)


def opened(folder, **options):
    return load_pipeline(folder, device="cuda", backend=RTX, **options)


@pytest.mark.parametrize(
    ("change", "told", "also"),
    [
        (
            {"height": 160},
            "The transformer for tensorrt-rtx was built for tokens from 1 to 27, not 30; run: ",
            " --component vae_decoder",
        ),
        (
            {"num_frames": 25},
            "The VAE decoder for tensorrt-rtx was built for latent_frames from 1 to 3, not 4; run: ",
            "",
        ),
    ],
)
def test_other_sizes_are_refused_before_weights_are_read(planned, gpu_machine, small, change, told, also, sentence):
    """A size that no profile has is one sentence with the command that builds it, and nothing was opened for it."""
    folder = planned()
    with opened(folder) as pipeline:
        for asked in (pipeline, pipeline.check, pipeline.denoise):
            with pytest.raises(RequestError) as error:
                asked(**{**small, "width": 96, **change})
            size = {**small, "width": 96, **change}
            assert sentence(error).startswith(told)
            assert f"--out {folder} --backend tensorrt-rtx" in sentence(error)
            command = f" --resolution {size['height']}x{size['width']} --frames {size['num_frames']}"
            assert sentence(error).endswith(f"{command}{also}.")
    assert gpu_machine.flavours[RTX].engines == []
    assert gpu_machine.cuda.calls.total() == 0


def test_a_prompt_that_is_too_long_is_refused(planned, gpu_machine, small, sentence):
    """The text has its limit too; whoever gives embeddings meets the transformer's."""
    from vidrt import PromptEmbeddings

    sizes = (((32, 32, 1, 1), (64, 64, 9, 8), (96, 96, 17, 16)),)
    with opened(planned(sizes=sizes)) as pipeline:
        with pytest.raises(RequestError) as error:
            pipeline.check(**small, prompt="cat " * 20)
        assert (
            "text encoder for tensorrt-rtx was built for text_tokens from 1 to 16, not 21: give a shorter prompt."
            in (sentence(error))
        )
        long = PromptEmbeddings(positive=np.zeros((1, 17, 16), np.float32))
        with pytest.raises(RequestError, match=r"The transformer .* text_tokens from 1 to 16, not 17"):
            pipeline.check(**small, embeddings=long, guidance_scale=1)
    assert gpu_machine.flavours[RTX].engines == []


def test_the_nearest_profile_is_taken(planned, gpu_machine, small):
    """Of several profiles that fit, a run takes the one tuned for sizes like its own."""
    folder = planned(sizes=(SMALL, LARGE))
    with opened(folder) as pipeline:
        for size, profile in ((64, 0), (96, 1), (128, 1)):
            pipeline(**{**small, "height": size, "width": size, "num_frames": 17})
            assert gpu_machine.flavours[RTX].contexts[-1]._profile == profile, size


def test_sizes_far_from_the_optimum_are_told(planned, gpu_machine, small, notes):
    """A run that the engine is not tuned for is played, and the user knows; a short prompt is no reason."""
    with opened(planned(), progress=notes) as pipeline:
        pipeline(**small)
        assert not any("not at its best" in line for line in notes.lines)
        pipeline(**{**small, "height": 32, "width": 32, "num_frames": 1})
    lines = [line for line in notes.lines if "not at its best" in line]
    assert lines[0] == "The transformer is tuned for batch 1 (here 1), tokens 8 (here 1): it runs, but not at its best."
    assert gpu_machine.flavours[RTX].engines


@pytest.mark.usefixtures("gpu_machine")
@pytest.mark.parametrize("content", [b"garbage" * 10_000, b"\x00" * 10_000, b""], ids=["text", "nought", "empty"])
def test_a_damaged_plan_is_one_sentence(planned, small, content, sentence):
    """A plan of other bytes in the same number cannot be read: why, and the command that builds it again."""
    folder = planned()
    plan = plan_of(folder)
    size = plan.stat().st_size
    with opened(folder) as pipeline:
        plan.write_bytes(content[:size])
        with pytest.raises(EngineError) as error:
            pipeline(**small)
    told = sentence(error)
    assert told.startswith(
        "tensorrt-rtx cannot read the plan of the transformer (IRuntime::deserializeCudaEngine: Error"
    )
    assert f"; run: build-engines SOURCE --out {folder} --backend tensorrt-rtx" in told


@pytest.mark.usefixtures("gpu_machine")
def test_a_gpu_that_is_too_small_for_the_weights_says_so(planned, small, monkeypatch, sentence):
    """Where TensorRT cannot read a plan for want of memory, building it again is not what helps."""

    def full(self, _):
        self._logger.log(1, "Error Code 2: OutOfMemory (Requested size was 4294967296 bytes.)")

    monkeypatch.setattr(trt_double.Runtime, "deserialize_cuda_engine", full)
    with opened(planned()) as pipeline, pytest.raises(OutOfMemoryError) as error:
        pipeline(**small)
    assert sentence(error).startswith("The GPU has not enough memory for the text encoder (Error Code 2: OutOfMemory")


def test_without_the_library_the_line_that_installs_it_is_told(planned, gpu_machine, small, monkeypatch, sentence):
    """A library that goes away between the check and the first phase is told with the line that brings it."""
    assert gpu_machine
    with opened(planned()) as pipeline:
        monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
        with pytest.raises(MissingExtraError) as error:
            pipeline(**small)
    assert sentence(error) == "tensorrt_rtx is not installed; run: pip install 'vidrt[rtx]'."


def kernels(tmp_path):
    return sorted((tmp_path / "home" / "kernels").glob("*"))


def test_compiled_kernels_are_kept(planned, gpu_machine, small, tmp_path):
    """The first run writes what it compiled for each plan, the second reads it; both give the same frames."""
    folder, events = planned(), gpu_machine.flavours[RTX].events
    with opened(folder) as pipeline:
        first = pipeline(**small).frames
    assert "cache read" not in events
    assert len(kernels(tmp_path)) == 3
    assert all(path.read_bytes() == b"kernels of this run" for path in kernels(tmp_path))
    times = [path.stat().st_mtime_ns for path in kernels(tmp_path)]
    with opened(folder) as pipeline:
        assert np.array_equal(pipeline(**small).frames, first)
    assert events.count("cache read") == 3
    assert [path.stat().st_mtime_ns for path in kernels(tmp_path)] == times, "what has not changed is not written"


@pytest.mark.usefixtures("gpu_machine")
def test_damaged_kernels_are_written_anew(planned, small, tmp_path):
    """A cache that TensorRT refuses is passed over and replaced."""
    folder = planned()
    for _ in range(2):
        with opened(folder) as pipeline:
            pipeline(**small)
        assert [path.read_bytes() for path in kernels(tmp_path)] == [b"kernels of this run"] * 3
        for path in kernels(tmp_path):
            path.write_bytes(b"damaged")


@pytest.mark.usefixtures("gpu_machine")
def test_a_place_that_cannot_be_written_stops_nothing(planned, small, tmp_path):
    """Kernels that cannot be kept are compiled again next time."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "kernels").write_text("a file is in the way")
    with opened(planned()) as pipeline:
        assert pipeline(**small).frames.std() > 0


def test_tensorrt_proper_keeps_no_kernels(planned, gpu_machine, small, tmp_path):
    """Only the flavour for RTX compiles where it runs."""
    with load_pipeline(planned(Backend.TENSORRT), device="cuda", backend="tensorrt") as pipeline:
        pipeline(**small)
    assert gpu_machine.flavours["tensorrt"].engines
    assert kernels(tmp_path) == []


@pytest.mark.parametrize(("limit", "budget"), [(1 << 30, 10_000_000), ("0.001GiB", None)])
def test_weights_are_streamed_under_a_limit(planned, gpu_machine, small, limit, budget):
    """What a limit leaves beside the working memory is for weights, at most all of them; the frames are the same."""
    folder = planned(streamable=10_000_000)
    with load_pipeline(folder, device="cpu") as pipeline:
        wanted = pipeline(**small).frames
    with opened(folder, memory_limit=limit) as pipeline:
        assert np.array_equal(pipeline(**small).frames, wanted)
    for engine in gpu_machine.flavours[RTX].engines:
        expected = (1 << 30) // 1000 - engine.device_memory_size_v2 if budget is None else budget
        assert engine.weight_streaming_budget_v2 == expected


@pytest.mark.usefixtures("gpu_machine")
def test_a_limit_below_the_working_memory_is_refused(planned, small, sentence):
    """A limit that not even an engine without weights would keep is told with what is needed."""
    with opened(planned(streamable=10_000_000), memory_limit="1kB") as pipeline, pytest.raises(EngineError) as error:
        pipeline(**small)
    assert "needs 0.00 GiB besides its weights, which is over the memory limit" in sentence(error)


@pytest.mark.parametrize("key", [{"stream_weights": "no"}, {}])
def test_a_limit_that_would_be_ignored_is_refused(planned, gpu_machine, small, key, sentence):
    """Plans that cannot stream their weights are refused: at once where the manifest says it, else when opened."""
    folder = planned(key=key)
    with pytest.raises((RequestError, EngineError)) as error, opened(folder, memory_limit="8GiB") as pipeline:
        pipeline(**small)
    assert "--stream-weights" in sentence(error)
    assert bool(gpu_machine.flavours[RTX].engines) == (not key)


def test_without_a_limit_nothing_is_streamed(planned, gpu_machine, small):
    """Weights stay on the device unless a limit is given."""
    with opened(planned(streamable=10_000_000)) as pipeline:
        pipeline(**small)
    assert {engine.weight_streaming_budget_v2 for engine in gpu_machine.flavours[RTX].engines} == {10_000_000}


def stripped(folder, component="transformer"):
    """Adds the graph to the files of a plan that was stripped of its weights, as the exporter lays it beside it."""
    bundle = read_bundle(folder)
    engine, graph = engine_of(folder, component), engine_of(folder, component, "onnxruntime")
    engine = dataclasses.replace(engine, files=(*engine.files, *graph.files))
    write_bundle(folder, bundle.with_engine(Component(component), engine))
    return bundle_path(folder, graph.files[0].path)


def test_plans_without_weights_are_refitted(planned, gpu_machine, small):
    """A plan that was stripped gets its weights from the graph beside it, each time it is opened."""
    folder = planned(stripped=True, key={"weights_in": "stripped"})
    for component in read_bundle(folder).engines:
        stripped(folder, component)
    with load_pipeline(folder, device="cpu") as pipeline:
        wanted = pipeline(**small).frames
    with opened(folder) as pipeline:
        assert np.array_equal(pipeline(**small).frames, wanted)
    assert gpu_machine.flavours[RTX].events.count("refit") == 3


@pytest.mark.usefixtures("gpu_machine")
def test_weights_that_do_not_fit_are_one_sentence(planned, small, sentence):
    """A graph that is not the plan's, or is not there, ends the run and says so."""
    folder = planned(components=("transformer",), stripped=True, key={"weights_in": "stripped"})
    planned(components=("text_encoder", "vae_decoder"))
    with opened(folder) as pipeline, pytest.raises(EngineError) as error:
        pipeline(**small)
    assert sentence(error) == ("The plan of the transformer has no weights and the bundle no graph to take them from.")
    stripped(folder)
    trt = sys.modules["tensorrt_rtx"]
    other = trt.ICudaEngine(PlanText(graph=__file__, stripped=True), None, None)
    with pytest.raises(
        EngineError, match=r"cannot put the weights of .*model.onnx into the plan of the transformer: the"
    ):
        tensorrt_library.refit(trt, other, engine_of(folder), folder, "transformer")
