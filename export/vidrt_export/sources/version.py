"""Which version of LTX-Video a checkpoint is: by its VAE's form, then by its name; where several fit, the oldest."""

import re

from vidrt_engines.versions import VERSIONS, RopeTime, Version, version_named
from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.ltx_video.original.config import Told
from vidrt_reference.ltx_video.vae_params import VaeParams

LAYERS_13B = 48


def fitting_versions(vae: VaeParams, layers: int, name: str) -> tuple[str, ...]:
    """The versions that a checkpoint may be, oldest first.

    The VAE's form and the transformer's depth decide; among what they leave, a name that says more narrows it down.
    """
    of_form = versions_of_form(vae, layers)
    return tuple(version for version in of_form if _is_named(version, name)) or of_form


def versions_of_form(vae: VaeParams, layers: int) -> tuple[str, ...]:
    """The versions that were released with a VAE of this form and a transformer of this depth, oldest first.

    A depth that no version of the form has is no reason to refuse it.
    """
    alike = [version for version in VERSIONS.values() if _form(vae) == _form_of(version)]
    of_depth = tuple(version.name for version in alike if _fits_depth(version, layers))
    return of_depth or tuple(version.name for version in alike)


def told_versions(vae: VaeParams, layers: int, told: Told, name: str) -> tuple[str, ...]:
    """The versions that an official file may be, oldest first: by its form, its metadata, and then its name.

    Raises:
        CheckpointError: no version of the file's form is what its metadata say.
    """
    of_form = versions_of_form(vae, layers)
    fitting = tuple(version for version in of_form if _is_told(VERSIONS[version], told))
    if not fitting:
        raise CheckpointError(
            f"The file's tensors are those of {' or '.join(of_form)}, and its metadata say otherwise: "
            f"use the file as it was published."
        )
    return tuple(version for version in fitting if _is_named(version, name)) or fitting


def official_version(asked: str | None, fitting: tuple[str, ...]) -> str:
    """The version asked for, else the oldest that fits; what a file's name says binds like all else in it.

    Raises:
        CheckpointError: an unknown version, or one that contradicts the file.
    """
    chosen = chosen_version(asked, fitting)
    if chosen not in fitting:
        raise CheckpointError(
            f"The file is by its metadata or its name {' or '.join(fitting)}, not {asked}: leave --ltxv-version out, "
            f"or rename the file if its name is wrong."
        )
    return chosen


def chosen_version(asked: str | None, fitting: tuple[str, ...]) -> str:
    """The version asked for, else the oldest that fits.

    Raises:
        CheckpointError: an unknown version, or one that contradicts the files.
    """
    if asked is None:
        return fitting[0]
    try:
        version_named(asked)
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    if asked not in fitting and not _same_files(asked, fitting):
        raise CheckpointError(f"The checkpoint's files are those of {' or '.join(fitting)}, not of {asked}.")
    return asked


def two_pass_number(name: str) -> str | None:
    """The number of the first version with two passes that a name speaks of, such as 0.9.8; None where it has one."""
    named = (version for version in VERSIONS.values() if version.second_pass and _is_named(version.name, name))
    return next((version.name.partition("-")[0] for version in named), None)


def _form(vae: VaeParams) -> str:
    if not vae.timestep_conditioning:
        return "0.9.0"
    return "0.9.1" if any(vae.decoder_inject_noise) else "0.9.5"


def _form_of(version: Version) -> str:
    return version.name if version.name in {"0.9.0", "0.9.1"} else "0.9.5"


def _fits_depth(version: Version, layers: int) -> bool:
    """Depths other than the released ones are nobody's in particular: they count as the small model's."""
    return (version.layers == LAYERS_13B) == (layers == LAYERS_13B)


def _is_named(version: str, name: str) -> bool:
    """Whether a name speaks of a version: of its number, and not of the rival of one of its words."""
    number, *words = version.split("-")
    if not re.search(rf"{re.escape(number)}(?!\d)", name) and not (
        number.endswith(".0") and re.search(r"0\.9(?![.\d])", name)
    ):
        return False
    kind = re.search(r"dev|distilled", name)
    return kind is None or not {"dev", "distilled"} & set(words) or kind[0] in words


def _same_files(asked: str, fitting: tuple[str, ...]) -> bool:
    """Whether a version has the same architecture as those that fit, so that only a name spoke against it."""
    a, b = VERSIONS[asked], VERSIONS[fitting[0]]
    return _form_of(a) == _form_of(b) and _fits_depth(a, b.layers)


def _is_told(version: Version, told: Told) -> bool:
    """Whether a version is what a file's metadata say; they may say nothing.

    Distilled models alone are bound to a list of sigmas.
    """
    return (
        (told.causal_time is None or told.causal_time == (version.rope_time is RopeTime.CAUSAL))
        and (told.sigmas is None or "distilled" in version.name)
        and (told.version is None or _is_named(version.name, told.version))
    )
