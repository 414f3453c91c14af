"""The command merges LoRAs: the plan and the bundle name them, and only what they change is built again."""

import re
import shutil

import pytest
import tiny_lora
import tiny_ltx
import torch
from halves import by_halves
from safetensors.torch import load_file, save_file
from vidrt_engines.manifest import read_bundle
from vidrt_export.lora import parse_lora
from vidrt_reference.checkpoint.errors import CheckpointError

ONLY = ("--component", "transformer")


@pytest.fixture(scope="module")
def lora(tmp_path_factory):
    """A LoRA that is not to be changed."""
    return tiny_lora.save(tmp_path_factory.mktemp("lora") / "fox.safetensors")


@pytest.fixture
def whole(bundles, tmp_path):
    """A bundle of all components, without LoRAs."""
    return shutil.copytree(bundles("0.9.0"), tmp_path / "bundle")


def engine(bundle):
    (found,) = read_bundle(bundle).engines["transformer"]
    return found


def test_the_plan_names_them(build_engines, source, lora, tmp_path):
    """--dry-run shows each below its component, with its scale and hash; the sizes are those without."""
    arguments = (source, "--out", tmp_path / "bundle", "--dry-run")
    plain = build_engines(*arguments).out.splitlines()
    lines = build_engines(*arguments, "--lora", lora, "--lora", f"{lora}:-0.5").out.splitlines()
    named = [line for line in lines if line not in plain]
    assert [line for line in lines if line not in named] == plain
    for line, scale in zip(named, ("1.0", "-0.5"), strict=True):
        assert re.fullmatch(rf"  with the LoRA fox\.safetensors:{scale} sha256 [0-9a-f]{{64}}", line)
    assert lines.index(named[0]) == 1 + next(n for n, line in enumerate(plain) if line.startswith("transformer "))


@pytest.mark.usefixtures("cached_traces")
def test_only_the_transformer_is_built_again(build_engines, source, lora, whole):
    """Into a bundle without, another scale, one more, as it was: each is seen, and the same again is not built."""
    before, keys = read_bundle(whole), []
    runs = {
        "1": [lora], "0.5": [f"{lora}:0.5"], "twice": [lora, lora], "twice again": [lora, lora], "none": [],
    }  # fmt: skip
    for name, loras in runs.items():
        found = build_engines(source, "--out", whole, *(word for one in loras for word in ("--lora", one)))
        assert found.status == 0, found.err
        assert found.err.count("up to date") == (4 if name == "twice again" else 3)
        keys.append(engine(whole).key)
    assert len({key["weights"] for key in keys}) == 4
    assert keys[2] == keys[3]
    assert keys[-1] == before.engines["transformer"][0].key
    assert "loras" not in keys[-1]
    after = read_bundle(whole)
    assert all(before.engines[name] == after.engines[name] for name in before.engines if name != "transformer")
    assert len(list((whole / "transformer").iterdir())) == 1


@pytest.mark.usefixtures("cached_traces")
def test_the_bundle_tells_what_is_in_it(build_engines, source, lora, tmp_path):
    """Name, scale and hash, also for the command that builds it again; another name of the same file is the same."""
    bundle = tmp_path / "bundle"
    assert build_engines(source, "--out", bundle, *ONLY, "--lora", f"{lora}:0.8").status == 0
    found = engine(bundle)
    assert re.fullmatch(r"fox\.safetensors:0\.8 sha256 [0-9a-f]{64}", found.key["loras"])
    assert found.options == ("--lora", "fox.safetensors:0.8")
    renamed = shutil.copy(lora, tmp_path / "cat.safetensors")
    assert "up to date" in build_engines(source, "--out", bundle, *ONLY, "--lora", f"{renamed}:0.8").err
    changed = {name: value + 1e-3 for name, value in load_file(renamed).items()}
    save_file(changed, renamed)
    assert "up to date" not in build_engines(source, "--out", bundle, *ONLY, "--lora", f"{renamed}:0.8").err
    assert engine(bundle).key["weights"] != found.key["weights"]


@pytest.mark.usefixtures("cached_traces")
@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("fp16", torch.float16)])
def test_the_weights_are_those_that_diffusers_fuses(build_engines, source, lora, tmp_path, precision, dtype):
    """What lies in the bundle, for every weight."""
    oracle = tiny_ltx.transformer()
    oracle.load_lora_adapter(load_file(lora))
    oracle.fuse_lora(lora_scale=0.8)
    oracle.unload_lora()
    bundle = tmp_path / "bundle"
    options = (*ONLY, "--lora", f"{lora}:0.8", "--precision", precision)
    assert build_engines(source, "--out", bundle, *options).status == 0
    import onnx_ir

    graph = onnx_ir.load(bundle / engine(bundle).files[0].path).graph
    for name, fused in oracle.state_dict().items():
        wanted = by_halves(name, fused, tiny_ltx.TRANSFORMER["num_attention_heads"])
        got = torch.from_numpy(graph.initializers[name].const_value.numpy().copy())
        assert got.dtype == dtype
        step = 1e-6 if dtype is torch.float32 else 1e-3
        assert torch.allclose(got.float(), wanted, rtol=step, atol=step), name


def test_a_component_that_is_left_out(build_engines, source, lora, tmp_path):
    """A LoRA that would change nothing is refused."""
    found = build_engines(source, "--out", tmp_path / "out", "--component", "vae_decoder", "--lora", lora)
    assert found.status == 2
    assert "changes the transformer, which --component leaves out" in found.err


def test_bad_files_are_told_before_the_source_is_looked_for(build_engines, tmp_path):
    """Nothing is downloaded for a request that cannot be right."""
    found = build_engines("owner/model", "--out", tmp_path / "out", "--lora", tmp_path / "no.safetensors")
    assert found.status == 2
    assert f"there is none at {tmp_path / 'no.safetensors'}" in found.err


def test_a_lora_of_another_model(build_engines, source, tmp_path):
    """One sentence, the exit status of a bad request, no bundle."""
    state = {"unet.mid.lora_A.weight": torch.ones(1, 2), "unet.mid.lora_B.weight": torch.ones(2, 1)}
    save_file(state, tmp_path / "other.safetensors")
    found = build_engines(source, "--out", tmp_path / "out", "--lora", tmp_path / "other.safetensors")
    assert found.status == 2
    assert len(found.err.splitlines()) == 1
    assert "no module for 1 of the file's 1 (unet.mid)" in found.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text", "scale"),
    [
        ("a.safetensors", "a.safetensors", 1.0),
        ("a.safetensors", "a.safetensors:0.5", 0.5),
        ("a.safetensors", "a.safetensors:-1e-1", -0.1),
        ("a:2", "a:2", 1.0),
        ("a:2", "a:2:3", 3.0),
        ("c:b.safetensors", "c:b.safetensors", 1.0),
    ],
)
def test_files_and_scales(lora, tmp_path, monkeypatch, name, text, scale):
    """A file of the whole name comes before a scale."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(lora, tmp_path / name)
    found = parse_lora(text)
    assert (found.path.name, found.scale) == (name, scale)


@pytest.mark.parametrize("scale", ["0", "-0.0", "nan", "inf", "-inf", "much", "1,5", ""])
def test_scales_that_mean_nothing(lora, scale):
    """No effect, no number."""
    with pytest.raises(CheckpointError, match=f"a finite number other than 0, but .* has '{scale}'"):
        parse_lora(f"{lora}:{scale}")


@pytest.mark.parametrize("text", ["no.safetensors", "no.safetensors:0.5", "C:\\no.safetensors", ":0.5", ":"])
def test_files_that_are_not_there(tmp_path, monkeypatch, text):
    """The path is told without its scale."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"Expected a \.safetensors file after --lora, but there is none at .*\."):
        parse_lora(text)


def test_folders_are_no_files(tmp_path):
    """A folder may hold several."""
    with pytest.raises(CheckpointError, match=r"is a folder: name the \.safetensors file in it\."):
        parse_lora(str(tmp_path))


def test_a_unet_takes_them_too(build_engines, svd_checkpoint, tmp_path):
    """Stable Video Diffusion's, by diffusers' names."""
    (path,) = (svd_checkpoint / "unet").glob("*.safetensors")
    name = next(name for name in sorted(load_file(path)) if name.endswith("attn1.to_q.weight"))
    width = load_file(path)[name].shape[0]
    module = f"unet.{name.removesuffix('.weight')}"
    pair = {f"{module}.lora_A.weight": torch.ones(2, width), f"{module}.lora_B.weight": torch.ones(width, 2)}
    save_file(pair, tmp_path / "lora.safetensors")
    found = build_engines(
        svd_checkpoint, "--out", tmp_path / "out", "--dry-run", "--lora", tmp_path / "lora.safetensors"
    )
    assert found.status == 0, found.err
    lines = found.out.splitlines()
    number = next(number for number, line in enumerate(lines) if line.startswith("unet "))
    assert lines[number + 1].startswith("  with the LoRA lora.safetensors:1.0 sha256 ")
