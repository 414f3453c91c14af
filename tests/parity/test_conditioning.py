"""Conditioned videos against diffusers: the same checkpoint, seed, prompt, pictures and videos in fp32 on the CPU."""

import copy

import diffusers
import numpy as np
import pytest
import torch
from closeness import relative_l2
from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition
from PIL import Image
from vidrt.conditioning.item import Condition

CLIP = {"height": 64, "width": 96, "num_frames": 25}
OPTIONS = {
    "seed": 7,
    "num_inference_steps": 4,
    "guidance_scale": 1.0,
    "prompt": "a red bird flies over the sea",
    **CLIP,
}
LATENTS = 1e-5  # relative L2 of what is left after the last step

# Of each condition the number of frames, the frame where it begins, and its strength.
CONDITIONS = {
    "a picture": [(1, 0, 1.0)],
    "half a picture": [(1, 0, 0.5)],
    "a later picture": [(1, 13, 1.0)],
    "the beginning": [(17, 0, 1.0)],
    "the end": [(17, 8, 0.8)],
    "a short end": [(9, 16, 1.0)],
    "too much": [(24, 0, 1.0), (30, 8, 1.0)],
    "several": [(9, 0, 1.0), (17, 8, 0.6), (1, 20, 0.7), (1, 24, 1.0)],
}


@pytest.fixture(scope="module")
def frames(photo):
    """A function of a length: pillow's pictures of a window that moves over a photo."""

    def cut(length, start=0):
        return [photo.crop((x, x // 2, x + 130, x // 2 + 60)) for x in range(start, start + length)]

    return cut


@pytest.fixture
def image_to_video(oracles):
    """A function of the VAE's form: diffusers' image-to-video with the components of that checkpoint."""

    def make(form):
        oracle = copy.copy(oracles(form))
        oracle.pipeline = diffusers.LTXImageToVideoPipeline(**oracle.pipeline.components)
        oracle.pipeline.set_progress_bar_config(disable=True)
        return oracle

    return make


def compared(pipeline, oracle, options, theirs):
    """Run both, hold every value to its bar, and return the runtime's frames."""
    last = pipeline.denoised(**options, compat="diffusers")
    got = np.stack([video.frames for video in pipeline.decode(last)])
    assert relative_l2(torch.from_numpy(last.latents), oracle.latents(**theirs)) <= LATENTS
    wanted = oracle.frames(**theirs)
    assert got.shape == wanted.shape
    assert difference(got, wanted) <= 1
    assert got.std() > 10  # no picture of one colour, on which anything would agree
    return got


def difference(one, other):
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("form", [pytest.param("0.9.0", marks=pytest.mark.slow), "0.9.5"])
@pytest.mark.parametrize("more", [{}, {"guidance_scale": 3.0, "num_videos": 2}], ids=["plain", "two, guided"])
def test_image_to_video_is_diffusers(pipelines, image_to_video, oracles, photo, form, more):
    """A picture at frame 0 with LTXPipeline's checkpoint: frames are those of LTXImageToVideoPipeline."""
    options = {**OPTIONS, **more}
    got = compared(pipelines(form), image_to_video(form), {**options, "image": photo}, {**options, "image": photo})
    assert difference(got, oracles(form).frames(**options)) > 50  # the picture counts


@pytest.mark.parametrize(("name", "guidance"), [*((name, 1.0) for name in CONDITIONS), ("several", 3.0)])
def test_conditions_are_diffusers(pipelines, oracles, frames, name, guidance):
    """Pictures and videos anywhere, trimmed where they are too long: frames are those of LTXConditionPipeline."""
    ours, theirs = [], []
    for number, (length, frame, strength) in enumerate(CONDITIONS[name]):
        clip = frames(length, start=5 * number)
        ours.append(Condition(media=clip[0] if length == 1 else clip, frame=frame, strength=strength))
        media = {"image": clip[0]} if length == 1 else {"video": clip}
        theirs.append(LTXVideoCondition(frame_index=frame, strength=strength, **media))
    options = {**OPTIONS, "guidance_scale": guidance}
    pipeline, oracle = pipelines("0.9.5", "LTXConditionPipeline"), oracles("0.9.5", "LTXConditionPipeline")
    got = compared(pipeline, oracle, {**options, "conditions": ours}, {**options, "conditions": theirs})
    assert difference(got, oracle.frames(**options)) > 20  # they count


def test_a_video_file_is_diffusers(pipelines, oracles, frames, tmp_path):
    """A video from a file is what diffusers makes of its frames."""
    import av

    path = tmp_path / "clip.mkv"
    pictures = frames(9)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=8)
        stream.width, stream.height, stream.pix_fmt = *pictures[0].size, "bgr0"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    pipeline, oracle = pipelines("0.9.5", "LTXConditionPipeline"), oracles("0.9.5", "LTXConditionPipeline")
    ours = {**OPTIONS, "conditions": [Condition(media=path, frame=16)]}
    theirs = {**OPTIONS, "conditions": LTXVideoCondition(video=pictures, frame_index=16)}
    compared(pipeline, oracle, ours, theirs)


def test_a_picture_from_bytes_is_the_same(pipelines, photo):
    """Pillow's picture and its bytes make one video."""
    pipeline = pipelines("0.9.5")
    assert isinstance(photo, Image.Image)
    options = {**OPTIONS, "num_inference_steps": 1, "compat": "diffusers"}
    one, other = (pipeline.denoised(**options, image=image).latents for image in (photo, np.asarray(photo)))
    assert np.array_equal(one, other)
