"""Which version a checkpoint is taken for."""

import pytest
import tiny_ltx
from vidrt_engines.versions import VERSIONS
from vidrt_export.sources.version import chosen_version, fitting_versions
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.ltx_video.vae_params import VaeParams

SMALL_095 = ("0.9.5", "0.9.6-dev", "0.9.6-distilled", "0.9.8-2b-distilled")
LARGE_095 = ("0.9.7-dev", "0.9.7-distilled", "0.9.8-13b-dev", "0.9.8-13b-distilled")

TABLE = [
    # the form alone
    ("0.9.0", 28, "ltx-video", ("0.9.0",)),
    ("0.9.1", 28, "ltx-video", ("0.9.1",)),
    ("0.9.5", 28, "ltx-video", SMALL_095),
    ("0.9.5", 48, "ltx-video", LARGE_095),
    # the name among what the form leaves
    ("0.9.0", 28, "LTX-Video-0.9", ("0.9.0",)),
    ("0.9.1", 28, "LTX-Video-0.9.1-diffusers", ("0.9.1",)),
    ("0.9.5", 28, "LTX-Video-0.9.5", ("0.9.5",)),
    ("0.9.5", 28, "ltxv-2b-0.9.6-dev-04-25", ("0.9.6-dev",)),
    ("0.9.5", 28, "ltxv-2b-0.9.6-distilled", ("0.9.6-distilled",)),
    ("0.9.5", 28, "ltxv-2b-0.9.6", ("0.9.6-dev", "0.9.6-distilled")),
    ("0.9.5", 28, "ltxv-2b-0.9.8-distilled", ("0.9.8-2b-distilled",)),
    ("0.9.5", 28, "ltxv-2b-0.9.8-distilled-fp8", ("0.9.8-2b-distilled",)),
    ("0.9.5", 48, "LTX-Video-0.9.7-dev", ("0.9.7-dev",)),
    ("0.9.5", 48, "LTX-Video-0.9.7-distilled", ("0.9.7-distilled",)),
    ("0.9.5", 48, "LTX-Video-0.9.8-13B-distilled", ("0.9.8-13b-distilled",)),
    ("0.9.5", 48, "ltxv-13b-0.9.8-dev", ("0.9.8-13b-dev",)),
    # a name that the files contradict says nothing
    ("0.9.0", 28, "LTX-Video-0.9.5", ("0.9.0",)),
    ("0.9.5", 28, "LTX-Video-0.9.1", SMALL_095),
    ("0.9.5", 28, "LTX-Video-0.9.7-dev", SMALL_095),
    ("0.9.5", 48, "ltxv-2b-0.9.6-distilled", LARGE_095),
    ("0.9.5", 28, "LTX-Video-0.9.55", SMALL_095),
    # depths that were never released count as the small model's
    ("0.9.0", 2, "mine", ("0.9.0",)),
    ("0.9.5", 2, "mine", SMALL_095),
    ("0.9.5", 47, "LTX-Video-0.9.5", ("0.9.5",)),
    # nor was the large model with the older forms, which is refused no more
    ("0.9.0", 48, "mine", ("0.9.0",)),
    ("0.9.1", 48, "mine", ("0.9.1",)),
]


def fitting(form, layers, name):
    return fitting_versions(VaeParams.from_config(tiny_ltx.VAE[form]), layers, name.lower())


@pytest.mark.parametrize(("form", "layers", "name", "wanted"), TABLE)
def test_form_then_depth_then_name(form, layers, name, wanted):
    """The VAE's form and the depth decide, the name narrows down, and the oldest of what is left is taken."""
    assert fitting(form, layers, name) == wanted
    assert chosen_version(None, wanted) == wanted[0]


@pytest.mark.parametrize("layers", [1, 28, 48])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_named_as_itself_is_found(version, layers):
    """Files in a folder named by a version are taken for that version, wherever its form and depth allow."""
    form = version if version in {"0.9.0", "0.9.1"} else "0.9.5"
    if (VERSIONS[version].layers == 48) == (layers == 48):
        assert version in fitting(form, layers, f"ltx-video-{version}")


@pytest.mark.parametrize(
    ("form", "layers", "asked"),
    [
        ("0.9.0", 28, "0.9.5"),
        ("0.9.1", 28, "0.9.0"),
        ("0.9.5", 28, "0.9.1"),
        ("0.9.5", 28, "0.9.7-dev"),
        ("0.9.5", 48, "0.9.5"),
    ],
)
def test_a_version_of_other_files_is_refused(form, layers, asked):
    """A version whose files look otherwise is not believed; the sentence names what the files are."""
    versions = fitting(form, layers, "ltx-video")
    with pytest.raises(CheckpointError, match=r"^The checkpoint's files are those of .*, not of .*\.$") as error:
        chosen_version(asked, versions)
    assert all(version in str(error.value) for version in (*versions, asked))


@pytest.mark.parametrize("asked", SMALL_095)
def test_the_caller_knows_better_than_the_name(asked):
    """Where only a name speaks against it, the version asked for is taken."""
    assert chosen_version(asked, fitting("0.9.5", 28, "LTX-Video-0.9.5")) == asked


@pytest.mark.parametrize("asked", ["0.9.2", "", "0.9", "latest", "0.9.7"])
def test_an_unknown_version_lists_the_known(asked):
    """A version that is none is refused with the list of those that are."""
    with pytest.raises(CheckpointError, match=f"'{asked}' is no version") as error:
        chosen_version(asked, ("0.9.0",))
    assert all(version in str(error.value) for version in VERSIONS)
    assert "\n" not in str(error.value)
