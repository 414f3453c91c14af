"""Plans played by the sessions for TensorRT, over doubles of CUDA and of TensorRT that compute with onnxruntime."""

import re
from itertools import pairwise

import numpy as np
import pytest
from trt_double_context import IExecutionContext
from vidrt.conditioning.item import Condition
from vidrt.errors import EngineError, RequestError
from vidrt.pipelines.load import load_pipeline
from vidrt_engines.names import Backend

BACKENDS = (Backend.TENSORRT, Backend.TENSORRT_RTX)


def played(folder, backend, options, **places):
    with load_pipeline(folder, device="cuda", backend=backend, **places) as pipeline:
        return pipeline(**options).frames


def wanted(folder, options):
    with load_pipeline(folder, device="cpu") as pipeline:
        return pipeline(**options).frames


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("version", ["0.9.5", "0.9.6-distilled"])
def test_frames_are_those_of_onnxruntime(planned, gpu_machine, small, backend, version):
    """A run through plans, its formulas on the device, gives the frames of the same graphs on the CPU, to the bit."""
    folder, options = planned(backend), {**small, "ltxv_version": version}
    got = played(folder, backend, options)
    assert np.array_equal(got, wanted(folder, options))
    assert got.std() > 5
    assert gpu_machine.cuda.calls["combine"] > 0


@pytest.mark.usefixtures("gpu_machine")
@pytest.mark.parametrize("form", ["0.9.0", "0.9.1"])
def test_every_form_of_the_vae_is_played(planned, small, bundles, form):
    """Decoders without a timestep, and with noise maps, are given theirs."""
    folder, options = planned(source=bundles(form)), {**small, "prompt": "a cat runs over the sea"}
    assert np.array_equal(played(folder, "tensorrt-rtx", options), wanted(folder, options))


@pytest.mark.usefixtures("gpu_machine")
@pytest.mark.parametrize("version", ["0.9.5", "0.9.6-distilled"])
def test_conditioned_latents_are_those_of_onnxruntime(planned, small, photo, version):
    """Each token has a timestep of its own, and extra tokens are in front; latents are the same to the bit."""
    items = [Condition(media=photo, strength=0.5), Condition(media=photo, frame=5)]
    folder, plain = planned(), {**small, "ltxv_version": version}
    with load_pipeline(folder, device="cuda", backend="tensorrt-rtx") as pipeline:
        got = pipeline.denoised(**plain, conditions=items).latents
    with load_pipeline(folder, device="cpu") as pipeline:
        assert np.array_equal(got, pipeline.denoised(**plain, conditions=items).latents)
        assert not np.array_equal(got, pipeline.denoised(**plain).latents)


@pytest.mark.usefixtures("gpu_machine")
def test_tokens_of_conditions_that_a_plan_has_no_room_for(planned, small, photo):
    """A run whose conditions take more tokens than its plan has is refused with the command that builds one."""
    options = {**small, "height": 96, "width": 96, "num_frames": 17}
    items = [Condition(media=photo, frame=frame) for frame in (5, 16)]
    with load_pipeline(planned(), device="cuda", backend="tensorrt-rtx") as pipeline:
        pipeline.check(**options, image=photo)
        with pytest.raises(RequestError, match=r"tokens from 1 to 27, not 45.*--resolution 96x96 --frames 17:17:33\."):
            pipeline.check(**options, conditions=items)


@pytest.mark.usefixtures("gpu_machine")
@pytest.mark.parametrize("stg", [0.0, 1.0])
def test_guessed_velocities_are_those_of_onnxruntime(planned, small, stg):
    """With the step cache, latents on the device are those of the host, to the bit, and some steps were guessed."""
    folder, options = planned(), {**small, "num_inference_steps": 10, "step_cache": 100.0, "stg_scale": stg}
    got = {}
    for device, backend in (("cuda", "tensorrt-rtx"), ("cpu", "auto")):
        with load_pipeline(folder, device=device, backend=backend) as pipeline:
            got[device] = pipeline.denoised(**options)
    assert np.array_equal(got["cuda"].latents, got["cpu"].latents)
    assert got["cuda"].cached == got["cpu"].cached
    assert got["cuda"].cached[0].computed == 3


def test_latents_stay_on_the_device(planned, gpu_machine, small):
    """A step brings up one timestep for each evaluation and nothing down; memory is taken in the first steps only."""
    cuda, seen = gpu_machine.cuda, []
    with load_pipeline(planned(), device="cuda", backend="tensorrt-rtx") as pipeline:
        for step in pipeline.denoise(**{**small, "num_inference_steps": 6}):
            assert step.total == 6
            seen.append({name: cuda.calls[name] for name in ("upload", "download", "synchronise", "allocate")})
    between = [{name: later[name] - now[name] for name in now} for now, later in pairwise(seen[1:])]
    assert between[:-1] == [{"upload": 2, "download": 0, "synchronise": 0, "allocate": 0}] * 3
    assert between[-1]["download"] == 1  # the last latents, before the transformer goes


def test_a_step_that_is_looked_at_comes_down_once(planned, gpu_machine, small):
    """Previews read latents as often as they like; what was read stays when the pipeline is closed."""
    downloads = gpu_machine.cuda.calls
    with load_pipeline(planned(), device="cuda", backend="tensorrt-rtx") as pipeline:
        steps = list(pipeline.denoise(**small))
        before = downloads["download"]
        first = steps[0].latents
        assert steps[0].latents is first
        assert downloads["download"] == before + 1
    assert isinstance(steps[-1].latents, np.ndarray)
    with pytest.raises(EngineError, match="went with their pipeline"):
        _ = steps[1].latents


def test_engines_share_one_workspace(planned, gpu_machine, small):
    """Engines that stay open together compute in the same memory, as large as the largest needs."""
    with load_pipeline(planned(), device="cuda", backend="tensorrt-rtx", keep_loaded=True) as pipeline:
        pipeline(**small)
        first = pipeline(**small).frames
        used = gpu_machine.cuda.used
        assert np.array_equal(pipeline(**small).frames, first)
        assert gpu_machine.cuda.used == used
        contexts = gpu_machine.flavours["tensorrt-rtx"].contexts
        needs = [context.update_device_memory_size_for_shapes() for context in contexts]
        workspace = pipeline.components["transformer"].engine._resources.cuda().workspace
        assert max(needs) <= workspace.size < max(needs) + 256
        assert len(gpu_machine.flavours["tensorrt-rtx"].engines) == 3


def test_each_phase_gives_its_memory_back(planned, gpu_machine, small):
    """When the transformer is gone, its buffers are too: the decoder finds the memory free."""
    cuda = gpu_machine.cuda
    with load_pipeline(planned(), device="cuda", backend="tensorrt-rtx") as pipeline:
        last = pipeline.denoised(**small)
        resources = pipeline.components["transformer"].engine._resources
        resources.release_idle()
        assert cuda.used == resources.cuda().workspace.size + last.state.nbytes


def test_tensorrt_is_recorded_once_and_replayed(planned, gpu_machine, small):
    """The first run of each length of prompt is plain, the second is recorded, and all others are that graph."""
    gpu = gpu_machine
    with load_pipeline(planned(Backend.TENSORRT), device="cuda", backend="tensorrt") as pipeline:
        *_, _last = pipeline.denoise(**{**small, "num_inference_steps": 7})
        assert gpu.cuda.calls["begin_capture"] == 2  # one for the prompt, one for the negative prompt
        assert gpu.cuda.calls["launch"] == 2 * 6
        executed = gpu.flavours["tensorrt"].events.count("execute")
        assert executed == 2 + 2 * 2  # two prompts encoded; of each context a first run and a recorded one


@pytest.mark.parametrize("backend", BACKENDS)
def test_previews_change_nothing(planned, gpu_machine, small, backend):
    """A decoder opened in the middle of the loop takes a larger workspace; the transformer goes on in that one."""
    options = {**small, "num_inference_steps": 5}
    with load_pipeline(planned(backend), device="cuda", backend=backend) as pipeline:
        expected = pipeline(**options).frames
        previews = [pipeline.decode(step)[0].frames for step in pipeline.denoise(**options)]
    assert np.array_equal(previews[-1], expected)
    assert not np.array_equal(previews[0], expected)
    assert gpu_machine.cuda.calls["launch"] > 0 or backend is Backend.TENSORRT_RTX


def test_rtx_records_by_itself(planned, gpu_machine, small):
    """The flavour for RTX records for itself, and compiles at once for shapes that stay: those of a prompt do not."""
    played(planned(), "tensorrt-rtx", small)
    assert gpu_machine.cuda.calls["begin_capture"] == 0
    configs = gpu_machine.flavours["tensorrt-rtx"].configs
    assert [config.cuda_graph_strategy.name for config in configs] == ["WHOLE_GRAPH_CAPTURE"] * 3
    strategies = [config.dynamic_shapes_kernel_specialization_strategy.name for config in configs]
    assert strategies == ["NONE", "EAGER", "EAGER"]


def test_what_cannot_be_recorded_runs_plainly(planned, gpu_machine, small):
    """An engine with something that no graph can hold is played all the same."""
    folder = planned(Backend.TENSORRT, recordable=False)
    assert np.array_equal(played(folder, "tensorrt", small), wanted(folder, small))
    assert gpu_machine.cuda.calls["launch"] == 0


@pytest.mark.parametrize(("videos", "batch"), [(3, 2), (2, 1), (2, 4)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_batches_are_split_to_what_was_built(planned, gpu_machine, small, backend, videos, batch):
    """More videos than the transformer takes at once are run in parts, with the same frames."""
    folder = planned(backend, batch=batch)
    with load_pipeline(folder, device="cpu") as pipeline:
        expected = [video.frames for video in pipeline.videos(num_videos=videos, **small)]
    with load_pipeline(folder, device="cuda", backend=backend) as pipeline:
        got = [video.frames for video in pipeline.videos(num_videos=videos, **small)]
    assert all(np.abs(a.astype(int) - b).max() <= 1 for a, b in zip(got, expected, strict=True))
    assert not np.array_equal(got[0], got[1])
    assert {shapes["latents"][0] for shapes in shapes_of(gpu_machine, backend, "timestep")} <= {
        1,
        2,
        min(videos, batch),
    }


def shapes_of(machine, backend, name):
    """The shapes that the contexts with an input of this name were given."""
    contexts = machine.flavours[backend].contexts
    return [context._shapes for context in contexts if name in context._shapes]


def test_components_take_and_give_numpy(planned, gpu_machine):
    """A component alone takes numpy's arrays and gives them back, and arrays of the device likewise."""
    rng = np.random.default_rng(0)
    arrays = {
        "latents": rng.standard_normal((1, 8, 8), np.float32),
        "context": rng.standard_normal((1, 5, 16), np.float32),
        "timestep": np.full((1, 1), 500, np.float32),
        "rope_cos": np.ones((8, 16), np.float32),
        "rope_sin": np.zeros((8, 16), np.float32),
    }
    with load_pipeline(planned(), device="cuda", backend="tensorrt-rtx") as pipeline:
        transformer = pipeline.components["transformer"]
        with transformer.held():
            velocity = transformer(**arrays)
            assert isinstance(velocity, np.ndarray)
            assert np.array_equal(transformer(**{**arrays, "latents": transformer.put(arrays["latents"])}), velocity)
            copies = gpu_machine.cuda.calls["copy"]
            constant = transformer.put(arrays["rope_cos"])
            for latents in (1, 2):
                transformer(**{**arrays, "rope_cos": constant, "latents": latents * arrays["latents"]})
            assert gpu_machine.cuda.calls["copy"] == copies + 1 + 2  # the constant once, each result


@pytest.mark.usefixtures("gpu_machine")
def test_arrays_that_do_not_fit_never_reach_the_plan(planned, sentence):
    """The manifest's words for a wrong array, and one sentence with the command for sizes that no profile has."""
    with load_pipeline(planned(), device="cuda", backend="tensorrt-rtx") as pipeline:
        encoder = pipeline.components["text_encoder"]
        with pytest.raises(RequestError, match="'input_ids' should be int64, not int32"):
            encoder(np.ones((1, 3), np.int32))
        with pytest.raises(RequestError) as error:
            encoder(np.ones((1, 300), np.int64))
        assert "was built for text_tokens from 1 to 256, not 300: give a shorter prompt." in sentence(error)
        with pytest.raises(RequestError) as error:
            pipeline.components["vae_encoder"](np.zeros((1, 3, 9, 128, 64), np.float32))
        told = sentence(error)
        assert "The VAE encoder for tensorrt-rtx was built for rows from 32 to 96, not 128; run: build-engines" in told
        assert told.endswith("--resolution MIN:OPT:MAX --frames MIN:OPT:MAX.")


def test_a_failing_run_is_one_sentence(planned, gpu_machine, small, sentence):
    """What TensorRT logs in the middle of a run is told with the component's name."""
    gpu_machine.flavours["tensorrt-rtx"].fails = "Error Code 1: Myelin (no kernel)\nat layer 5"
    with pytest.raises(EngineError) as error:
        played(planned(), "tensorrt-rtx", small)
    told = "The text encoder failed: TensorRT refused the run (Error Code 1: Myelin (no kernel))."
    assert sentence(error) == told


@pytest.mark.usefixtures("gpu_machine")
def test_a_plan_that_is_not_what_the_manifest_says_is_one_sentence(planned, small, monkeypatch, sentence):
    """A shape that the profile of the manifest allows and the plan refuses is told with the component's name."""
    monkeypatch.setattr(IExecutionContext, "set_input_shape", lambda *_: False)
    with pytest.raises(EngineError) as error:
        played(planned(), "tensorrt-rtx", small)
    assert re.fullmatch(
        r"The text encoder failed: TensorRT refused the shape \(1, \d+\) of 'input_ids'\.", sentence(error)
    )


def test_too_little_memory_says_so(planned, gpu_machine, small, sentence):
    """A GPU that is too small for the working memory ends the run, and what was taken is given back."""
    gpu_machine.cuda.total = 60_000
    with pytest.raises(EngineError) as error:
        played(planned(workspace=500), "tensorrt-rtx", small)
    assert "CUDA has no" in sentence(error)


@pytest.mark.usefixtures("gpu_machine")
def test_lost_values_end_the_run(planned, small, sentence):
    """Latents that are no numbers are found when they come down, and no black frames come of them."""
    latents = np.full((1, 8, 8), 3e38, np.float32)
    with pytest.raises(EngineError) as error:
        played(planned(), "tensorrt-rtx", {**small, "latents": latents})
    assert "gave infinite values or no numbers" in sentence(error)
