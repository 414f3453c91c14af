"""What a checkpoint gives the builder, whatever its form on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vidrt_engines.manifest import Settings
from vidrt_engines.names import Component, Family

from vidrt_export.part import Part


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint that has been looked at: every header and configuration read, every key accounted for.

    Attributes:
        family: the family of models.
        model_version: the version it is taken for.
        versions: the versions that its files fit, oldest first.
        settings: what the runtime has to know.
        parts: its components, in the order in which a run uses them.
        tokenizer: the file that holds the tokenizer, where the family has prompts.
    """

    family: Family
    model_version: str
    versions: tuple[str, ...]
    settings: Settings
    parts: Mapping[Component, Part]
    tokenizer: Path | None
