"""The pipeline as its users call it, on the embedded bundle."""

import json
import weakref

import numpy as np
import pytest
import vidrt
from safetensors.numpy import save_file
from vidrt import EngineError, PromptEmbeddings, RequestError, Video
from vidrt.components.text_encoder import TextEncoder
from vidrt.output.record import write_record
from vidrt.pipelines.latents import unpack
from vidrt.pipelines.load import load_pipeline
from vidrt.tensor_files import read_embeddings
from vidrt_engines.names import Compat
from vidrt_engines.places import DEFAULT_BUNDLE
from vidrt_engines.versions import VERSIONS

PROMPT = "a bird flies over the sea"


def test_a_call_makes_a_video(demo, small):
    """A call gives frames of the size, number and rate asked for, which are a picture and not one colour."""
    video = demo(prompt="a red circle grows", fps=12, **{**small, "height": 128, "width": 128})
    assert isinstance(video, Video)
    assert (video.frames.shape, video.frames.dtype, video.fps) == ((9, 128, 128, 3), np.uint8, 12.0)
    assert video.frames.std() > 5


def test_the_seed_makes_the_video(demo, small):
    """The same seed gives identical frames, another seed others."""
    first = demo(**small).frames
    assert np.array_equal(demo(**small).frames, first)
    assert not np.array_equal(demo(**{**small, "seed": 8}).frames, first)


def test_what_the_text_encoder_took_is_gone_before_the_transformer_comes(demo, small, monkeypatch):
    """None of its own arrays, which would keep all of its memory, outlives the encoding of prompts."""
    made, call = [], TextEncoder.__call__

    def watched(self, *tokens):
        made.append(weakref.ref(embeddings := call(self, *tokens)))
        return embeddings

    monkeypatch.setattr(TextEncoder, "__call__", watched)
    next(demo.denoise(**small))
    assert [each() for each in made] == [None, None]


@pytest.mark.parametrize("change", [{"prompt": PROMPT}, {"negative_prompt": "red"}, {"guidance_scale": 1.0},
                                    {"fps": 5.0}, {"num_inference_steps": 2}, {"compat": "diffusers"},
                                    {"ltxv_version": "0.9.6-distilled"}])  # fmt: skip
def test_no_option_is_ignored(demo, small, change):
    """Each option alone changes the frames."""
    assert not np.array_equal(demo(**{**small, **change}).frames, demo(**small).frames)


@pytest.mark.parametrize("compat", Compat)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_runs(any_version, version, compat):
    """A bundle can be run as any version under either convention, with no frame that is one colour."""
    is_list = bool(VERSIONS[version].schedule.sigmas) and compat is Compat.OFFICIAL
    steps = {} if is_list else {"num_inference_steps": 5}
    size = {"height": 32, "width": 32, "num_frames": 9, "seed": 1}
    with load_pipeline(any_version, device="cpu") as pipeline:
        video = pipeline(ltxv_version=version, compat=compat, **size, **steps)
    assert all(frame.std() > 0 for frame in video.frames)
    assert video.record["ltxv_version"] == version


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_denoising_yields_as_many_steps_as_asked(demo, small, steps):
    """Steps are counted from 1, the noise level falls to 0, and every state of the latents is its own."""
    done = list(demo.denoise(**{**small, "num_inference_steps": steps}))
    assert [(step.index, step.total) for step in done] == [(index, steps) for index in range(1, steps + 1)]
    sigmas = [step.sigma for step in done]
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[-1] == 0
    assert all(step.latents.shape == (1, 12, 48) for step in done)
    assert len({step.latents.tobytes() for step in done}) == steps


def test_skipped_steps_are_not_yielded(any_version, small):
    """A version that skips its last three of six steps yields three."""
    options = {**small, "num_inference_steps": 6, "ltxv_version": "0.9.8-13b-dev"}
    with load_pipeline(any_version, device="cpu") as pipeline:
        assert [step.total for step in pipeline.denoise(**options)] == [3, 3, 3]


def test_a_loop_and_a_call_make_the_same_video(demo, small):
    """The caller's own loop and `decode` of its last step are what a call does."""
    *_, last = demo.denoise(**small)
    (video,) = demo.decode(last)
    assert np.array_equal(video.frames, demo(**small).frames)
    assert video.record == demo(**small).record


def test_stopping_early_releases_the_engines(demo, small, opened):
    """A loop that breaks off leaves no engine open; one that is not begun opens none."""
    for step in demo.denoise(**small):
        assert step.index == 1
        assert opened[-1] == ("open", "transformer")
        break
    del step
    assert opened[-1] == ("close", "transformer")
    steps = demo.denoise(**small)
    next(steps)
    steps.close()
    assert all(component.engine.provider is None for component in demo.components.values())
    opened.clear()
    demo.denoise(**small)
    assert opened == []


def test_the_transformer_is_gone_when_the_last_step_is_handed_out(demo, small):
    """At the last step the caller may decode with the transformer's memory free; before, it is kept for the next."""
    for step in demo.denoise(**small):
        assert (demo.components["transformer"].engine.provider is None) == (step.index == step.total)


@pytest.mark.parametrize("version", ["0.9.5", "0.9.6-distilled"])
def test_a_preview_changes_nothing(demo, small, version):
    """Decoding earlier steps on the way, once or twice, leaves the run's random numbers and result as they were."""
    options = {**small, "ltxv_version": version}
    previews = []
    for step in demo.denoise(**options):
        previews.append((step, demo.decode(step)[0].frames))
        assert np.array_equal(demo.decode(step)[0].frames, previews[-1][1])
    assert np.array_equal(previews[-1][1], demo(**options).frames)
    assert not np.array_equal(previews[0][1], previews[-1][1])
    for step, frames in previews:
        assert np.array_equal(demo.decode(step)[0].frames, frames), "a step that was kept decodes as it did then"


def test_a_bad_request_is_refused_at_once(demo, opened, small):
    """The generator does not have to be asked for its first step to say what is wrong, and opens nothing."""
    with pytest.raises(RequestError, match="divisible by 32"):
        demo.denoise(**{**small, "height": 100})
    with pytest.raises(RequestError, match="initial latents should have the shape"):
        demo.denoise(**small, latents=np.zeros((1, 9, 8), np.float32))
    with pytest.raises(RequestError, match="Guidance needs negative_prompt_embeds too"):
        demo.denoise(**small, embeddings=PromptEmbeddings(positive=np.zeros((1, 3, 128), np.float32)))
    assert opened == []


@pytest.mark.parametrize(
    ("shape", "dtype", "told"),
    [
        ((1, 3, 127), np.float32, "axis '128' of 'context' should be 128, not 127"),
        ((2, 3, 128), np.float32, "axis 'batch' of 'context' should be 1, not 2"),
        ((3, 128), np.float32, "should have the axes"),
        ((1, 3, 128), np.float64, "should be float32, not float64"),
    ],
)
def test_embeddings_of_another_model_are_refused_at_once(demo, opened, small, shape, dtype, told, sentence):
    """Embeddings that the transformer cannot take are refused before any weight is read."""
    embeddings = PromptEmbeddings(positive=np.zeros(shape, dtype))
    with pytest.raises(RequestError, match=told) as error:
        demo.check(**small, guidance_scale=1, embeddings=embeddings)
    sentence(error)
    assert opened == []


@pytest.mark.parametrize("option", ["prompt", "negative_prompt"])
def test_prompts_and_embeddings_exclude_each_other(demo, small, option):
    """A prompt beside embeddings would be ignored, so it is refused."""
    embeddings = PromptEmbeddings(positive=np.zeros((1, 3, 128), np.float32))
    with pytest.raises(RequestError, match="Give prompts or embeddings, not both"):
        demo.check(**small, embeddings=embeddings, **{option: "a cat"})


def test_two_videos_of_one_seed(demo, small):
    """Two videos of one seed are two different ones, each with its number, and both come again."""
    first, second = demo.videos(num_videos=2, **small)
    assert first.frames.shape == second.frames.shape == (9, 64, 64, 3)
    assert not np.array_equal(first.frames, second.frames)
    assert [video.record["video"] for video in (first, second)] == [0, 1]
    assert first.record["num_videos"] == second.record["num_videos"] == 2
    again = demo.videos(num_videos=2, **small)
    assert all(np.array_equal(a.frames, b.frames) for a, b in zip((first, second), again, strict=True))


def test_a_call_is_for_one_video(demo, small):
    """A call that could only return the first of several videos says what makes them all."""
    with pytest.raises(RequestError, match=r"pipeline\.videos\(num_videos="):
        demo(num_videos=2, **small)


def test_first_latents_may_be_given(demo, small):
    """The noise of a seed handed in, as tokens or as a grid, gives the frames of that seed, whatever the seed asked."""
    from vidrt.noise.torch_cpu import TorchCpuGenerator

    tokens = TorchCpuGenerator(7).normal((1, 12, 48))
    (step, *_), wanted = demo.denoise(**small), [step.latents for step in demo.denoise(**small)][-1]
    for latents in (tokens, unpack(tokens, step.grid), tokens.astype(np.float64)):
        *_, last = demo.denoise(**{**small, "seed": 99}, latents=latents)
        assert np.array_equal(last.latents, wanted)
        assert last.latents.dtype == np.float32


def test_noise_may_be_a_gpus(demo, small):
    """Asked for a GPU's generator, a run draws all its noise from it, and its record names the GPU."""
    from vidrt.noise.gpus import gpu_named
    from vidrt.noise.torch_cuda import TorchCudaGenerator

    noise = TorchCudaGenerator(7, gpu_named("H200")).normal((1, 12, 48))
    wanted = [step.latents for step in demo.denoise(**small, latents=noise)][-1]
    last = demo.denoised(**small, generator="NVIDIA H200")
    assert np.array_equal(last.latents, wanted)
    assert [type(generator) for generator in last.generators] == [TorchCudaGenerator] * 2
    assert demo.decode(last)[0].record["generator"] == "H200"


def embedded(pipeline, text):
    """The embeddings of a prompt by the bundle's own tokenizer and text encoder: (1, L, D)."""
    ids = pipeline._tokenizer.encode(text, 256).ids
    return pipeline.components["text_encoder"](input_ids=ids[None])


def test_an_embeddings_file_stands_for_its_prompt(demo, small, tmp_path):
    """A file of what the bundle's own text encoder gives, padded and masked, makes the frames of that prompt."""
    tensors = {}
    for name, text in (("prompt", PROMPT), ("negative_prompt", "blurry")):
        real = embedded(demo, text)
        length = real.shape[1]
        tensors[f"{name}_embeds"] = np.pad(real, ((0, 0), (0, 40 - length), (0, 0)), constant_values=9)
        tensors[f"{name}_attention_mask"] = (np.arange(40) < length).astype(np.int64)[None]
    save_file(tensors, tmp_path / "e.safetensors")
    video = demo(**small, embeddings=read_embeddings(tmp_path / "e.safetensors"))
    assert np.array_equal(video.frames, demo(prompt=PROMPT, negative_prompt="blurry", **small).frames)
    assert not np.array_equal(video.frames, demo(prompt=PROMPT, negative_prompt="red", **small).frames)


def test_embeddings_need_no_text_encoder(demo, small, opened):
    """With embeddings the text encoder is never opened; without guidance no negative ones are needed."""
    embeddings = PromptEmbeddings(positive=embedded(demo, PROMPT))
    opened.clear()
    video = demo(**small, embeddings=embeddings, guidance_scale=1)
    assert ("open", "text encoder") not in opened
    assert np.array_equal(video.frames, demo(**small, prompt=PROMPT, guidance_scale=1).frames)


def recorded(record):
    """The options that a record names."""
    names = ("prompt", "negative_prompt", "height", "width", "num_frames", "fps", "num_videos",
             "num_inference_steps", "seed", "ltxv_version", "compat")  # fmt: skip
    return {**{name: record[name] for name in names}, "guidance_scale": record["passes"][0]["guidance"]["scales"][0]}


@pytest.mark.parametrize("compat", Compat)
def test_the_record_repeats_the_run(demo, tmp_path, compat):
    """What video.json says, read back and asked for, gives identical frames; the drawn seed is among it."""
    options = {"height": 64, "width": 32, "num_frames": 9, "fps": 12.5, "num_inference_steps": 2, "compat": compat}
    video = demo(**options, prompt=" a red house ")
    write_record(tmp_path / "video.json", video.record)
    record = json.loads((tmp_path / "video.json").read_text(encoding="utf-8"))
    again = demo(**recorded(record))
    assert np.array_equal(again.frames, video.frames)
    assert again.record == video.record
    assert record["prompt"] == " a red house "
    assert record["family"] == "ltx-video"
    assert set(record["engines"]) == set(demo.components)
    assert all(engine["device"] == "cpu" for engine in record["engines"].values())


def test_components_can_be_called_alone(demo):
    """Each component takes and gives named arrays without a pipeline run around it."""
    parts = demo.components
    rng = np.random.default_rng(0)
    embeddings = parts["text_encoder"](input_ids=np.array([[3, 4, 1]]))
    assert embeddings.shape == (1, 3, 128)
    velocity = parts["transformer"](
        latents=rng.standard_normal((1, 4, 48), np.float32),
        context=embeddings,
        timestep=np.full((1, 1), 500, np.float32),
        rope_cos=np.ones((4, 80), np.float32),
        rope_sin=np.zeros((4, 80), np.float32),
    )
    assert velocity.shape == (1, 4, 48)
    frames = parts["vae_decoder"](rng.standard_normal((1, 48, 3, 1, 2), np.float32))
    assert frames.shape == (1, 3, 9, 32, 64)
    moments = parts["vae_encoder"](frames=frames)
    assert moments.shape == (1, 96, 3, 1, 2)
    assert all(np.isfinite(values).all() and values.std() > 0 for values in (embeddings, velocity, frames, moments))
    assert parts["vae_decoder"].run(
        latents=np.zeros((1, 48, 1, 1, 1), np.float32), timestep=np.zeros(1, np.float32)
    ).keys() == {"frames"}


def test_the_decoder_takes_the_versions_timestep(demo):
    """A decoder called without a timestep uses the model version's 0.05; another one gives other frames."""
    latents = np.random.default_rng(0).standard_normal((1, 48, 1, 1, 1), np.float32)
    decoder = demo.components["vae_decoder"]
    assert np.array_equal(decoder(latents), decoder(latents, 0.05))
    assert not np.array_equal(decoder(latents), decoder(latents, 0.5))


def test_a_cut_prompt_is_told(notes, small):
    """A prompt over the limit runs, and the words that were left out are quoted."""
    with load_pipeline(DEFAULT_BUNDLE, device="cpu", progress=notes) as pipeline:
        pipeline(**small, prompt="red " * 255 + "blue circle", guidance_scale=1)
    assert "The prompt has more than 256 tokens; this was cut off: 'blue circle'" in notes.lines


def test_progress_counts_every_step(notes, small):
    """A run says its phases and advances once a step."""
    with load_pipeline(DEFAULT_BUNDLE, device="cpu", progress=notes) as pipeline:
        pipeline(**small)
    assert notes.lines == ["denoising: 3 step", "encoding the prompt", "decoding"]
    assert notes.steps == 3


def test_every_public_name_resolves():
    """`from vidrt import *` gives every name that the package promises, and an unknown one is an AttributeError."""
    namespace = {}
    exec("from vidrt import *", namespace)  # noqa: S102 - the star can only stand at the top of a module
    assert set(vidrt.__all__) <= set(namespace)
    assert all(namespace[name].__name__ == name for name in vidrt.__all__)
    assert issubclass(EngineError, RuntimeError)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = vidrt.nothing
