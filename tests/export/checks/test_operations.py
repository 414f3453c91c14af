"""How many operations a component takes, fitted at a few sizes, beside PyTorch's own count at others."""

import pytest
import tiny_ltx
import tiny_svd
import tiny_upscaler
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from vidrt_engines.axes import axes_of, axis_sizes
from vidrt_engines.names import Component, Precision
from vidrt_engines.streaming import CHUNK, LAST, STATE, first_shapes, stage_sizes
from vidrt_export.checks.counts import counts_of, empty_arguments
from vidrt_export.part import as_arguments
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_export.sources.upscaler import read_upscaler, with_upscaler

# Short and long, small and large, and a prompt of its own for each.
LTX_SIZES = ((128, 128, 9, 5), (256, 384, 25, 60), (704, 1216, 161, 200))
SVD_SIZES = ((128, 128, 14, 1), (576, 1024, 25, 1), (64, 192, 2, 1))
NAMES = ("text_encoder", "transformer", "vae_encoder", "vae_decoder", "latent_upsampler")


@pytest.fixture(scope="module")
def ltx(tmp_path_factory):
    """A function of a form: its tiny checkpoint, with an upscaler."""
    known = {}

    def checkpoint(form):
        if form not in known:
            folder = tiny_ltx.save(tmp_path_factory.mktemp("tiny") / "tiny", form)
            upscaler = read_upscaler(tiny_upscaler.save_folder(folder))
            known[form] = with_upscaler(read_diffusers_folder(folder), upscaler)
        return known[form]

    return checkpoint


@pytest.fixture(scope="module")
def svd(tmp_path_factory):
    """The tiny checkpoint of Stable Video Diffusion."""
    return read_diffusers_folder(tiny_svd.save(tmp_path_factory.mktemp("svd") / "tiny"))


def counted(part, sizes):
    """PyTorch's own count of one run; attention is taken apart, as it has no formula for that of the CPU."""
    with FakeTensorMode(), torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module, arguments = part.make().eval(), empty_arguments(part.signature, sizes)
        with FlopCounterMode(display=False) as counter:
            module(**arguments)
    return counter.get_total_flops()


def sizes_at(settings, size, batch=1):
    """Sizes of every axis at (height, width, frames, text tokens)."""
    height, width, frames, text = size
    return axis_sizes(settings, height=height, width=width, num_frames=frames, text_tokens=text, batch=batch)


@pytest.mark.parametrize("form", tiny_ltx.FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_ltx_video_is_met(ltx, form, name):
    """At any size and batch as many operations as PyTorch counts, to a thousandth; also a timestep for each token."""
    checkpoint = ltx(form)
    part = checkpoint.parts[Component(name)]
    operations = counts_of(part, Precision.FP32).operations
    for size in LTX_SIZES:
        sizes = sizes_at(checkpoint.settings, size, batch=2)
        assert operations.at(sizes) == pytest.approx(counted(part, sizes), rel=1e-3)
    if "timestep_tokens" in axes_of(part.signature):
        sizes["timestep_tokens"] = sizes["tokens"]
        assert operations.at(sizes) == pytest.approx(counted(part, sizes), rel=1e-3)


@pytest.mark.parametrize("name", ["image_encoder", "vae_encoder", "unet", "vae_decoder"])
def test_stable_video_diffusion_is_met(svd, name):
    """So are those of the other family, whose attention goes over places and over frames."""
    part = svd.parts[Component(name)]
    operations = counts_of(part, Precision.FP32).operations
    for size in SVD_SIZES:
        sizes = sizes_at(svd.settings, size, batch=2)
        assert operations.at(sizes) == pytest.approx(counted(part, sizes), rel=1e-3)


@pytest.mark.parametrize("form", tiny_ltx.FORMS)
@pytest.mark.parametrize("name", ["vae_encoder", "vae_decoder"])
def test_stages_are_met_between_two_chunks(ltx, form, name):
    """A stage in the middle of a video takes as many as PyTorch counts."""
    for stage in ltx(form).parts[Component(name)].stages:
        operations = counts_of(stage, Precision.FP32).operations
        sizes = stage_sizes(stage.signature, batch=1, frames=8 * stage.first_frames, rows=9, columns=7)
        assert operations.at(sizes) == pytest.approx(counted(stage, sizes), rel=1e-3)


@pytest.mark.parametrize("form", tiny_ltx.FORMS)
def test_a_streamed_video_takes_as_many_as_a_whole_one(ltx, form):
    """What the decoder's stages really take from a video's beginning to its end is what the whole engine takes."""
    part = ltx(form).parts[Component.VAE_DECODER]
    frames, rows, columns = 9, 2, 3
    flow, total = [torch.zeros(1, 8, frames, rows, columns)], 0
    for stage in part.stages:
        flow, count = passed_through(stage, torch.cat(flow, dim=2), rows, columns)
        total += count
    sizes = {"batch": 1, "latent_frames": frames, "latent_rows": rows, "latent_columns": columns}
    assert counts_of(part, Precision.FP32).operations.at(sizes) == pytest.approx(total, rel=0.01)


def passed_through(stage, video, rows, columns):
    """The parts that a stage passes on of a video, and the operations that PyTorch counts meanwhile."""
    module, signature, parts = stage.make().eval(), stage.signature, video.split(stage.first_frames, dim=2)
    sizes = stage_sizes(signature, batch=1, frames=0, rows=rows, columns=columns)
    shapes = {spec.name: [sizes.get(axis) or int(axis) for axis in spec.axes] for spec in signature.inputs[1:]
              if not spec.name.startswith(STATE)}  # fmt: skip
    given = {name: torch.zeros(shape) for name, shape in shapes.items()}
    given |= {name: torch.zeros(shape) for name, shape in first_shapes(signature, parts[0].shape).items()}
    passed = []
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        for number, part in enumerate(parts, 1):
            given |= {CHUNK: part, LAST: torch.tensor([int(number == len(parts))])}
            result, *kept = module(**as_arguments(given))
            given |= {f"{STATE}{index}": values for index, values in enumerate(kept)}
            passed.append(result)
    return passed, counter.get_total_flops()
