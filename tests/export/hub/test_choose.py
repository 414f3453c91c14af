"""Only the files that a checkpoint needs are chosen."""

import shutil

import pytest
import tiny_hub
import tiny_ltx
import tiny_svd
import torch
from vidrt_engines.names import Precision
from vidrt_export.hub.choose import Chooser
from vidrt_export.hub.names import parse_hub_name
from vidrt_export.sources.diffusers_folder import read_diffusers_folder
from vidrt_reference.checkpoint.errors import CheckpointError

SVD = {
    "model_index.json", "scheduler/scheduler_config.json", "feature_extractor/preprocessor_config.json",
    "unet/config.json", "vae/config.json", "image_encoder/config.json",
}  # fmt: skip
SVD_WEIGHTS = ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "image_encoder/model")


def chooser(folder, name="tiny/model", *, here=(), **options):
    """A chooser among the files of a folder, of which some have been downloaded."""
    paths = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return Chooser(
        name=parse_hub_name(name), paths=paths, get=folder.joinpath, is_here=lambda path: path in here, **options
    )


def read_alone(folder, chosen, tmp_path):
    """Read a checkpoint of which only the chosen files are there."""
    alone = tmp_path / "alone"
    for name in chosen:
        (alone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, alone / name)
    return read_diffusers_folder(alone)


def names_of(checkpoint):
    return {component: part.tensors.keys() for component, part in checkpoint.parts.items()}


def test_a_repository_of_ltx_video(repository, tmp_path):
    """Of a repository that holds much else the checkpoint is chosen, and that is enough to read it."""
    chosen = chooser(repository).chosen()
    assert set(chosen) == tiny_hub.NEEDED
    assert len(chosen) == len(tiny_hub.NEEDED)
    assert names_of(read_alone(repository, chosen, tmp_path)) == names_of(read_diffusers_folder(repository))


def test_shards_are_those_of_the_index(tmp_path):
    """Weights that diffusers and transformers saved in shards come with their index, and shards of others do not."""
    folder = tmp_path / "sharded"
    tiny_ltx.build("0.9.0").save_pretrained(folder, max_shard_size="10KB")
    (folder / "transformer/diffusion_pytorch_model-00001-of-00099.safetensors").write_text("another's")
    chosen = chooser(folder).chosen()
    shards = [name for name in chosen if "-of-" in name]
    assert {name.partition("/")[0] for name in shards} == {"transformer", "vae", "text_encoder"}
    assert len(shards) > 6
    assert not any("00099" in name for name in chosen)
    assert sum(name.endswith(".index.json") for name in chosen) == 3
    assert names_of(read_alone(folder, chosen, tmp_path)) == names_of(read_diffusers_folder(folder))


@pytest.fixture(scope="module")
def both_variants(svd_checkpoint, tmp_path_factory):
    """Stable Video Diffusion as its owner released it: plain weights and fp16 ones, which diffusers wrote."""
    folder = shutil.copytree(svd_checkpoint, tmp_path_factory.mktemp("variants") / "svd")
    tiny_svd.build().to(dtype=torch.float16).save_pretrained(folder, variant="fp16")
    return folder


@pytest.mark.parametrize(
    ("precision", "ending"), [(None, ""), (Precision.FP32, ""), (Precision.BF16, ""), (Precision.FP16, ".fp16")]
)
def test_halves_are_taken_where_halves_are_built(both_variants, tmp_path, precision, ending):
    """Plain weights are chosen unless engines in fp16 are asked for; nothing is chosen twice."""
    chosen = chooser(both_variants, precision=precision).chosen()
    assert set(chosen) == SVD | {f"{stem}{ending}.safetensors" for stem in SVD_WEIGHTS}
    assert names_of(read_alone(both_variants, chosen, tmp_path)) == names_of(read_diffusers_folder(both_variants))


def test_plain_weights_that_are_here_are_taken(both_variants):
    """Where plain weights have been downloaded they are what is read, so halves are not downloaded besides."""
    here = {"unet/diffusion_pytorch_model.safetensors"}
    chosen = chooser(both_variants, here=here, precision=Precision.FP16).chosen()
    assert [name for name in chosen if name.startswith("unet/d")] == ["unet/diffusion_pytorch_model.safetensors"]
    assert "vae/diffusion_pytorch_model.fp16.safetensors" in chosen


def test_variants_are_taken_where_there_is_nothing_else(both_variants, tmp_path):
    """A repository of halves alone is read as they are."""
    folder = shutil.copytree(both_variants, tmp_path / "halves")
    for stem in SVD_WEIGHTS:
        (folder / f"{stem}.safetensors").unlink()
    assert {f"{stem}.fp16.safetensors" for stem in SVD_WEIGHTS} < set(chooser(folder).chosen())


def test_a_single_file_comes_with_the_prompts_half(repository):
    """An official file brings the text encoder and the tokenizer beside it, and no other component."""
    name = "tiny/model:ltxv-2b-0.9.8-distilled.safetensors"
    assert set(chooser(repository, name).chosen()) == {
        "ltxv-2b-0.9.8-distilled.safetensors", "tokenizer/tokenizer.json", "text_encoder/config.json",
        "text_encoder/model.safetensors",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["tiny/model", "tiny/model:ltxv-2b-0.9.8-distilled.safetensors"])
def test_a_text_encoder_of_ones_own_saves_the_hubs(repository, name):
    """Where a text encoder is given, the hub's is left where it is; the tokenizer is still needed."""
    with_it, without_it = (set(chooser(repository, name, text_encoder=needed).chosen()) for needed in (True, False))
    assert with_it - without_it == {"text_encoder/config.json", "text_encoder/model.safetensors"}
    assert "tokenizer/tokenizer.json" in without_it


def test_a_single_file_without_prompts_comes_alone(both_variants, tmp_path):
    """An official file of Stable Video Diffusion holds all that it needs."""
    folder = shutil.copytree(both_variants, tmp_path / "svd")
    (folder / "svd_xt.safetensors").touch()
    assert chooser(folder, "tiny/model:svd_xt.safetensors").chosen() == ["svd_xt.safetensors"]


def without(folder, tmp_path, *names):
    folder = shutil.copytree(folder, tmp_path / "less")
    for name in names:
        (folder / name).unlink()
    return folder


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (["model_index.json"], "has no model_index.json: ask for one of its files as tiny/model:FILE; it has ltxv-13b"),
        (["vae/config.json"], "lacks vae/config.json"),
        (["scheduler/scheduler_config.json"], "lacks scheduler/scheduler_config.json"),
        (["tokenizer/tokenizer.json", "tokenizer/spiece.model"], "lacks tokenizer/tokenizer.json"),
        (["transformer/diffusion_pytorch_model.safetensors"], "no safetensors weights in transformer/"),
    ],
)
def test_what_a_repository_lacks_is_told(repository, tmp_path, told, missing, said):
    """The first file that is not there is named, pickles do not count, and what to do is said."""
    with pytest.raises(CheckpointError) as raised:
        chooser(without(repository, tmp_path, *missing)).chosen()
    assert said in told(raised)


def test_a_file_that_the_repository_does_not_have(repository, told):
    """The files that there are are named."""
    with pytest.raises(CheckpointError) as raised:
        chooser(repository, "tiny/model:nothing.safetensors").chosen()
    assert "has no file nothing.safetensors: ask for one of its files as tiny/model:FILE" in told(raised)


def test_another_pipeline_is_refused(repository, tmp_path, told):
    """A repository of another model is refused by the name of its class."""
    folder = shutil.copytree(repository, tmp_path / "flux")
    (folder / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(CheckpointError) as raised:
        chooser(folder).chosen()
    assert "is of a FluxPipeline" in told(raised)


def test_an_index_without_a_map_is_refused(repository, tmp_path, told):
    """An index that names no shards is no weights."""
    folder = without(repository, tmp_path, tiny_hub.WEIGHTS)
    (folder / f"{tiny_hub.WEIGHTS}.index.json").write_text('{"metadata": {}}')
    with pytest.raises(CheckpointError) as raised:
        chooser(folder).chosen()
    assert "without a weight_map" in told(raised)
