"""Which module of a model a LoRA's spelling means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidrt_reference.checkpoint.errors import CheckpointError
from vidrt_reference.checkpoint.keys import some

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vidrt_reference.lora.adapter import Adapter, Change

# What trainers and programs put in front of the model's own names, one or several.
_PREFIXES = (
    "base_model.model.", "model.diffusion_model.", "diffusion_model.", "transformer.", "unet.",
    "lora_unet_", "lora_transformer_", "lycoris_", "transformer_", "unet_",
)  # fmt: skip
_OTHER_MODELS = {
    "text_encoder": "text encoder",
    "lora_te": "text encoder",
    "text_model.": "text encoder",
    "vae.": "VAE",
    "first_stage_model.": "VAE",
}
_PARAMETERS = (".weight", ".bias")


def module_names(tensors: Iterable[str]) -> set[str]:
    """The modules that have a weight or a bias."""
    return {name.rpartition(".")[0] for name in tensors if name.endswith(_PARAMETERS)}


def spellings(modules: Iterable[str], parts: Mapping[str, str]) -> dict[str, str]:
    """Every way to spell each module: here and as its authors do, with dots and with underscores.

    Args:
        modules: their names here.
        parts: from what the authors call a part of a name to what it is called here.
    """
    theirs = {ours: their for their, ours in parts.items()}
    found = {}
    for module in modules:
        original = ".".join(theirs.get(word, word) for word in module.split("."))
        for spelling in (module, original):
            found[spelling] = found[spelling.replace(".", "_")] = module
    return found


def resolve(spelled: str, known: Mapping[str, str]) -> str | None:
    """The module that is meant, whatever stands in front of its name; None for what is none of this model's."""
    while spelled not in known:
        prefix = next((prefix for prefix in _PREFIXES if spelled.startswith(prefix)), None)
        if prefix is None:
            return None
        spelled = spelled.removeprefix(prefix)
    return known[spelled]


def other_model(spelled: str) -> str | None:
    """The model that is changed instead, where its name is in front."""
    bare = spelled.removeprefix("base_model.model.")
    return next((name for prefix, name in _OTHER_MODELS.items() if bare.startswith(prefix)), None)


def matched(adapter: Adapter, known: Mapping[str, str], *, what: str) -> dict[str, Change]:
    """What an adapter holds, by the modules' names here.

    Args:
        adapter: the adapter.
        known: a model's spellings.
        what: the model, for errors.

    Raises:
        CheckpointError: it changes another model, a module that is not there, or one under two names.
    """
    found: dict[str, Change] = {}
    unknown = []
    for spelled, change in adapter.changes.items():
        module = resolve(spelled, known)
        if module is None:
            unknown.append(spelled)
        elif module in found:
            raise CheckpointError(f"Expected {module} once in {adapter.path}, but two names mean it: save it again.")
        else:
            found[module] = change
    others = {spelled: other for spelled in unknown if (other := other_model(spelled))}
    if others:
        spelled, other = next(iter(others.items()))
        raise CheckpointError(
            f"Expected a LoRA of the {what} alone in {adapter.path}, but {spelled} is of the {other}: "
            f"use a file without it."
        )
    if unknown:
        raise CheckpointError(
            f"Expected a LoRA of this {what} in {adapter.path}, but it has no module for {len(unknown)} of the file's "
            f"{len(adapter.changes)} ({some(unknown)}): use a LoRA that was trained on this model."
        )
    return found
