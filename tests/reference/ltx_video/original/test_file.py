"""The official single files against the official modules: the same names, the same results, in all three forms.

The golden arrays were made by `scripts/golden_ltx_original.py`, which runs the official code on the weights used here.
diffusers' own conversion, and its classes, are held to the same arrays, so that three codes agree or the test says
which does not.
"""

import re
from dataclasses import asdict

import diffusers
import ltx_original
import numpy as np
import pytest
import torch
from closeness import relative_l2
from diffusers.loaders.single_file_utils import (
    convert_ltx_transformer_checkpoint_to_diffusers,
    convert_ltx_vae_checkpoint_to_diffusers,
)
from diffusers.models.normalization import RMSNorm
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.read import read_tensor
from vidrt_reference.checkpoint.stored import read_header, read_metadata
from vidrt_reference.ltx_video.original.config import Told, told
from vidrt_reference.ltx_video.original.file import is_original, original_file
from vidrt_reference.ltx_video.rope import rope_tables
from vidrt_reference.ltx_video.transformer import Transformer
from vidrt_reference.ltx_video.vae_decoder import VaeDecoder
from vidrt_reference.ltx_video.vae_encoder import VaeEncoder

# The official pixel norm divides by a root, and diffusers multiplies by its inverse: that is all there is between them,
# as the test of diffusers' VAE shows. Through several dozen of them in fp32: measured at most 1.5e-6.
BOUND = 3e-6
# With the official norm in diffusers' class only the order of sums is left, which is the CPU's: the arrays were made
# with AVX2, where the distance is below 1e-7, and with AVX-512 it is 1.15e-7.
SAME = 2e-7
SEED, TIMESTEP = 7, torch.tensor([0.05])

each_form = pytest.mark.parametrize("form", ltx_original.FORMS)
pytestmark = pytest.mark.usefixtures("_no_grad")


@pytest.fixture
def _no_grad():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """A tiny official file of each form."""
    folder = tmp_path_factory.mktemp("official")
    return {form: ltx_original.save(folder / f"{form}.safetensors", form) for form in ltx_original.FORMS}


@pytest.fixture(scope="module")
def files(paths):
    """What they are found to hold, by their metadata."""
    return {
        form: original_file(read_header(path), told(read_metadata(path), where=path)) for form, path in paths.items()
    }


@pytest.fixture(scope="module")
def given():
    return {name: torch.from_numpy(value) for name, value in ltx_original.given().items()}


@pytest.fixture(scope="module")
def golden():
    return {name: torch.from_numpy(value) for name, value in ltx_original.arrays().items()}


def values(tensors):
    return {name: read_tensor(tensor) for name, tensor in tensors.items()}


def vae_values(tensors):
    halves = {"encoder.": tensors.encoder, "decoder.": tensors.decoder, "": tensors.statistics}
    return {f"{prefix}{name}": value for prefix, half in halves.items() for name, value in values(half).items()}


def filled(module, tensors):
    module.load_state_dict(values(tensors), strict=True)
    return module.eval()


@each_form
def test_names_are_diffusers(files, form):
    """Every tensor gets the name that diffusers' own conversion gives it, none is left out, and values stay."""
    official = {name: torch.from_numpy(value) for name, value in ltx_original.tensors(form).items()}
    if form == "0.9.5":  # diffusers knows this form by the full width of the encoder's end
        official["vae.encoder.conv_out.conv.weight"] = torch.zeros(1, 2048)
    vae = convert_ltx_vae_checkpoint_to_diffusers(official)
    transformer = convert_ltx_transformer_checkpoint_to_diffusers(official)
    statistics = {"latents_mean": "mean-of-means", "latents_std": "std-of-means"}
    mine = vae_values(files[form].vae_tensors)
    assert mine.keys() == vae.keys() | statistics.keys()
    assert values(files[form].transformer_tensors).keys() == transformer.keys()
    for name, value in {**mine, **values(files[form].transformer_tensors)}.items():
        if name in statistics:
            wanted = torch.from_numpy(ltx_original.tensors(form)[f"vae.per_channel_statistics.{statistics[name]}"])
        else:
            wanted = vae.get(name, transformer.get(name))
        assert name == "encoder.conv_out.conv.weight" or torch.equal(value, wanted), name


@each_form
def test_transformer(files, given, golden, form):
    """The velocity is the official one, by the module here and by diffusers' class with the same weights, loaded
    strictly.
    """
    file, timestep = files[form], torch.tensor([[700.0]])
    tables = rope_tables(given["coordinates"][0].T, file.transformer.inner_dim)
    module = filled(Transformer(file.transformer), file.transformer_tensors)
    got = module(given["latents"], given["context"], timestep, *tables)
    assert relative_l2(got, golden[f"{form} velocity"]) <= BOUND
    oracle = filled(diffusers.LTXVideoTransformer3DModel(**asdict(file.transformer)), file.transformer_tensors)
    mask = torch.ones(given["context"].shape[:2])
    got = oracle(given["latents"], given["context"], timestep, mask, video_coords=given["coordinates"]).sample
    assert relative_l2(got, golden[f"{form} velocity"]) <= BOUND


@each_form
def test_vae(files, given, golden, form):
    """Frames and moments are the official ones; the noise that 0.9.1 injects is the very same."""
    vae, tensors = files[form].vae, files[form].vae_tensors
    timestep = TIMESTEP if vae.timestep_conditioning else None
    decoder = filled(VaeDecoder(vae), tensors.decoder)
    rows, columns = given["decoded"].shape[-2:]
    torch.manual_seed(SEED)
    maps = [torch.randn(rows * scale, columns * scale) for scale in decoder.injected_noise]
    assert bool(maps) is (form == "0.9.1")
    assert relative_l2(decoder(given["decoded"], timestep, maps), golden[f"{form} decoded"]) <= BOUND
    encoder = filled(VaeEncoder(vae), tensors.encoder)
    assert relative_l2(encoder(given["frames"]), golden[f"{form} moments"]) <= BOUND


@each_form
@pytest.mark.parametrize("norm", ["official", "own"])
def test_vae_of_diffusers(files, given, golden, monkeypatch, form, norm):
    """diffusers' class, loaded strictly, agrees as closely; with the official pixel norm in it, to the last bits."""
    if norm == "official":
        monkeypatch.setattr(RMSNorm, "forward", lambda self, x: x / (x**2).mean(-1, keepdim=True).add(self.eps).sqrt())
    oracle = diffusers.AutoencoderKLLTXVideo(**asdict(files[form].vae)).eval()
    oracle.load_state_dict(vae_values(files[form].vae_tensors), strict=True)
    torch.manual_seed(SEED)
    decoded = oracle.decoder(given["decoded"], TIMESTEP if files[form].vae.timestep_conditioning else None)
    bound = SAME if norm == "official" else BOUND
    assert relative_l2(decoded, golden[f"{form} decoded"]) <= bound
    assert relative_l2(oracle.encoder(given["frames"]), golden[f"{form} moments"]) <= bound


@each_form
def test_shapes_tell_what_metadata_say(paths, files, form):
    """A file that has lost its metadata is read the same."""
    assert original_file(read_header(paths[form]), Told()) == files[form]


@each_form
def test_names_without_a_prefix(tmp_path, files, form):
    """Some files have the transformer's tensors without the prefix."""
    prefix, values = ltx_original.TRANSFORMER, ltx_original.tensors(form)
    changes = {name: None for name in values if name.startswith(prefix)}
    changes |= {name.removeprefix(prefix): values[name] for name in changes}
    stored = read_header(ltx_original.save(tmp_path / "file.safetensors", form, changes))
    assert is_original(stored)
    got = original_file(stored, Told()).transformer_tensors
    assert got.keys() == files[form].transformer_tensors.keys()


@pytest.mark.parametrize(
    ("changes", "told_"),
    [
        ({"model.diffusion_model.extra.weight": (1,)}, "a transformer in its original layout, but there are 1 tensors"),
        (
            {"model.diffusion_model.transformer_blocks.0.attn3.to_q.weight": (1,)},
            "left over (transformer_blocks.0.attn3",
        ),
        ({"vae.decoder.extra": (1,)}, "1 tensors left over (decoder.extra)"),
        (
            {"vae.decoder.up_blocks.0.res_blocks.5.conv1.conv.weight": (1,)},
            "left over (decoder.up_blocks.0.res_blocks.5",
        ),
        ({"vae.per_channel_statistics.other": (1,)}, "left over (per_channel_statistics.other)"),
        ({"somebody.else": (1,)}, "left over"),
        ({"vae.per_channel_statistics.std-of-means": None}, "1 missing (latents_std)"),
    ],
)
def test_what_belongs_nowhere_is_named(tmp_path, changes, told_):
    """A tensor that no component takes is an error, whatever it is under; so is a statistic that is not there."""
    zeros = {name: None if shape is None else np.zeros(shape, np.float32) for name, shape in changes.items()}
    path = ltx_original.save(tmp_path / "file.safetensors", "0.9.5", zeros)
    with pytest.raises(CheckpointError, match=re.escape(told_)):
        original_file(read_header(path), told(read_metadata(path), where=path))


@pytest.mark.parametrize(
    ("name", "told_"),
    [
        ("model.diffusion_model.caption_projection.linear_1.weight", "it has no caption_projection.linear_1.weight"),
        ("vae.encoder.conv_in.conv.weight", "it has no encoder.conv_in.conv.weight"),
        ("vae.encoder.down_blocks.1.conv.conv.weight", "block 1 is of no known kind"),
        ("vae.encoder.down_blocks.2.res_blocks.0.conv1.conv.weight", "it has no down_blocks.2.res_blocks.0.conv1"),
        ("vae.decoder.up_blocks.1.conv.conv.weight", "block 1 is of no known kind"),
        ("model.diffusion_model.patchify_proj.weight", "this one has a VAE and no transformer"),
        ("vae.decoder.conv_in.conv.weight", "this one has a transformer and no VAE"),
    ],
)
def test_a_missing_measure_is_named(paths, name, told_):
    """Without metadata, what says how wide or deep a component is must be there."""
    stored = {other: tensor for other, tensor in read_header(paths["0.9.5"]).items() if other != name}
    with pytest.raises(CheckpointError, match=re.escape(told_)):
        original_file(stored, Told())


def test_the_upscaler_is_no_model(tmp_path):
    """The second pass's upscaler is recognised and said to be what it is."""
    marks = ("initial_conv.weight", "post_upsample_res_blocks.0.conv1.weight")
    stored = {
        name: read_header(ltx_original.save(tmp_path / "file.safetensors"))["vae.decoder.conv_in.conv.bias"]
        for name in marks
    }
    assert is_original(stored)
    with pytest.raises(CheckpointError, match="is LTX-Video's latent upscaler"):
        original_file(stored, Told())
