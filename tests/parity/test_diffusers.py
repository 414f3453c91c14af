"""Whole videos against diffusers: the same checkpoint, seed and prompt in fp32 on the CPU."""

import numpy as np
import pytest
import tiny_ltx
import torch
from closeness import relative_l2
from safetensors.torch import save_file
from vidrt.tensor_files import read_embeddings, read_latents

PIPELINES = [*((form, "LTXPipeline") for form in tiny_ltx.FORMS), ("0.9.5", "LTXConditionPipeline")]
LIMITS = {"LTXPipeline": 128, "LTXConditionPipeline": 256}
SIZES = {"a clip": (96, 160, 17), "one frame": (64, 64, 1), "a short clip": (64, 96, 9)}
CLIP = {"height": 64, "width": 96, "num_frames": 9}
STEPS = 3
LATENTS = 1e-5  # relative L2 of what is left after the last step
PROMPT = "a red bird flies over the dark sea"
WORDS = ("snow", "wind", "red", "dog", "by", "the", "lake")

each_pipeline = pytest.mark.parametrize(("form", "name"), PIPELINES)


@pytest.fixture
def agree(oracles, pipelines):
    """A function of form, class and request: it compares frames and latents and returns the frames (B, F, H, W, 3)."""

    def compare(form, name, **options):
        options = {"seed": 7, "num_inference_steps": STEPS, "guidance_scale": 1.0, **CLIP, **options}
        return compared(pipelines(form, name), oracles(form, name), options, options)

    return compare


def compared(pipeline, oracle, options, theirs):
    """Run both, hold every value to its bar, and return the runtime's frames."""
    last = pipeline.denoised(**options, compat="diffusers")
    got = np.stack([video.frames for video in pipeline.decode(last)])
    assert relative_l2(torch.from_numpy(last.latents), oracle.latents(**theirs)) <= LATENTS
    wanted = oracle.frames(**theirs)
    assert got.shape == wanted.shape == (options.get("num_videos", 1), *shape_of(options), 3)
    assert got.dtype == np.uint8
    assert difference(got, wanted) <= 1
    assert got.std() > 10  # no picture of one colour, on which anything would agree
    return got


def shape_of(options):
    return options["num_frames"], options["height"], options["width"]


def difference(one, other):
    return int(np.abs(one.astype(int) - other).max())


def prompt_of(oracle, tokens):
    """A prompt of so many tokens, the end token included."""
    words = [WORDS[number % len(WORDS)] for number in range(tokens - 1)]
    prompt = " ".join(words)
    assert len(oracle.pipeline.tokenizer(prompt).input_ids) == tokens
    return prompt


@each_pipeline
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_frames_are_diffusers(agree, form, name, size, guidance):
    """Every value of every frame is within 1 of diffusers', with guidance and without, at each size."""
    height, width, frames = SIZES[size]
    options = {"height": height, "width": width, "num_frames": frames, "num_inference_steps": 4}
    agree(form, name, prompt=PROMPT, guidance_scale=guidance, **options)


@each_pipeline
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**63])
def test_every_seed_is_diffusers(agree, oracles, form, name, seed):
    """Any seed gives diffusers' frames, and another seed others by far: agreement is no accident."""
    got = agree(form, name, prompt=PROMPT, seed=seed)
    options = {**CLIP, "num_inference_steps": STEPS, "guidance_scale": 1.0, "prompt": PROMPT}
    assert difference(got, oracles(form, name).frames(seed=12345, **options)) > 50


@each_pipeline
@pytest.mark.parametrize("excess", [None, -1, 0, 1, 40])
def test_prompts_of_any_length_are_diffusers(agree, oracles, form, name, excess):
    """A prompt of the end token alone, prompts about as long as the limit, and longer ones, cut as diffusers cuts."""
    oracle = oracles(form, name)
    prompt = "" if excess is None else prompt_of(oracle, LIMITS[name] + excess)
    got = agree(form, name, prompt=prompt, guidance_scale=3.0)
    other = agree(form, name, prompt=PROMPT, guidance_scale=3.0)
    assert difference(got, other) > 1  # the prompt counts


@each_pipeline
@pytest.mark.parametrize("prompt", ["  A Red  Circle, éè 123! ", "<pad> red</s>", "\n"])
def test_odd_prompts_are_diffusers(agree, form, name, prompt):
    """White space, signs the tokenizer does not know and its own special tokens are read as diffusers reads them."""
    agree(form, name, prompt=prompt, guidance_scale=3.0)


@each_pipeline
@pytest.mark.parametrize("negative", ["", "worst quality, blurry", "dark " * 300])
def test_negative_prompts_are_diffusers(agree, form, name, negative):
    """A negative prompt is, like diffusers', empty where none is given, and cut as any other."""
    got = agree(form, name, prompt=PROMPT, negative_prompt=negative, guidance_scale=3.0)
    default = agree(form, name, prompt=PROMPT, guidance_scale=3.0)
    assert (difference(got, default) > 1) is bool(negative)


@each_pipeline
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_two_videos_are_diffusers(agree, form, name, guidance):
    """Two videos from one seed are diffusers' two, and not the same."""
    first, second = agree(form, name, prompt=PROMPT, num_videos=2, guidance_scale=guidance)
    assert difference(first, second) > 50


@each_pipeline
@pytest.mark.parametrize("fps", [8, 24, 30.5])
def test_any_frame_rate_is_diffusers(agree, form, name, fps):
    """The frame rate, which turns the rotary embedding, is followed."""
    got = agree(form, name, prompt=PROMPT, fps=fps)
    assert difference(got, agree(form, name, prompt=PROMPT)) > 1


@each_pipeline
@pytest.mark.parametrize("steps", [2, 9])
def test_any_number_of_steps_is_diffusers(agree, form, name, steps):
    """An even and an odd number of steps give diffusers' schedule."""
    agree(form, name, prompt=PROMPT, num_inference_steps=steps)


# with a schedule that is stretched to an end of its own, diffusers divides zero by zero
@pytest.mark.parametrize("name", ["LTXPipeline", "LTXConditionPipeline"])
def test_a_single_step_is_diffusers(agree, name):
    """One step goes from noise to the end at once."""
    agree("0.9.5", name, prompt=PROMPT, num_inference_steps=1)


@each_pipeline
@pytest.mark.parametrize("is_packed", [True, False])
def test_given_latents_are_diffusers(oracles, pipelines, tmp_path, monkeypatch, form, name, is_packed):
    """Latents from a file take the place of the first noise, whichever way they are laid out."""
    grid = torch.randn(1, 8, 2, 2, 3, generator=torch.Generator().manual_seed(3))
    packed = grid.flatten(2).transpose(1, 2).contiguous()
    save_file({"initial_latents": packed if is_packed else grid}, tmp_path / "latents.safetensors")
    options = {"seed": 7, "num_inference_steps": STEPS, "guidance_scale": 1.0, **CLIP, "prompt": PROMPT}
    without = oracles(form, name).frames(**options)
    theirs = {**options, "latents": packed}
    if name == "LTXConditionPipeline":  # which passes over latents that it is given
        put_latents(oracles(form, name).pipeline, packed, monkeypatch)
        theirs = options
    ours = {**options, "latents": read_latents(tmp_path / "latents.safetensors")}
    got = compared(pipelines(form, name), oracles(form, name), ours, theirs)
    assert difference(got, without) > 50


def put_latents(pipeline, latents, monkeypatch):
    """Let the condition pipeline begin with latents, leaving its generator untouched as the other pipelines do."""
    prepare = pipeline.prepare_latents

    def prepared(*arguments, generator, **more):
        assert isinstance(generator, torch.Generator)
        first, *others = prepare(*arguments, generator=torch.Generator(), **more)
        assert first.shape == latents.shape
        return latents.clone(), *others

    monkeypatch.setattr(pipeline, "prepare_latents", prepared)


@each_pipeline
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_given_embeddings_are_diffusers(oracles, pipelines, tmp_path, form, name, guidance):
    """Embeddings from a file, masks and padding included, take the place of prompts."""
    source = torch.Generator().manual_seed(5)
    masks = {"prompt_attention_mask": torch.arange(LIMITS[name])[None] < 9}
    masks["negative_prompt_attention_mask"] = torch.arange(LIMITS[name])[None] < 4
    names = ("prompt_embeds", "negative_prompt_embeds")
    embeddings = {key: torch.randn(1, LIMITS[name], 16, generator=source) for key in names}
    path = tmp_path / "embeddings.safetensors"
    save_file({**embeddings, **{key: mask.to(torch.int64) for key, mask in masks.items()}}, path)
    options = {"seed": 7, "num_inference_steps": STEPS, "guidance_scale": guidance, **CLIP}
    got = compared(
        pipelines(form, name),
        oracles(form, name),
        {**options, "embeddings": read_embeddings(path)},
        {**options, **embeddings, **masks},
    )
    assert difference(got, oracles(form, name).frames(prompt=PROMPT, **options)) > 1
