"""What all backends are asked for, and what they give back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from vidrt_engines.names import Backend, Precision
from vidrt_engines.profiles import Span

from vidrt_export.checks.precision import Limits
from vidrt_export.console import Console
from vidrt_export.part import Part


@dataclass(frozen=True, kw_only=True)
class Options:
    """What concerns compiled engines alone.

    Attributes:
        memory_limit: bytes of device memory that a kernel may take as workspace while engines are compiled.
        strip_weights: plans are written without weights, which are put in when they are opened.
        stream_weights: plans may be run with a part of their weights in host memory.
        limits: of the check in lower precision.
    """

    memory_limit: int | None = None
    strip_weights: bool = False
    stream_weights: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One engine to be built; profiles, and the options that name them, only where it is for certain sizes."""

    part: Part
    backend: Backend
    precision: Precision
    profiles: tuple[dict[str, Span], ...] = ()
    size_options: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a backend has written.

    Attributes:
        files: relative to the folder, the one to open first, each with its hash where that is known.
        weights: the hash of the stored weights.
        key: what else decides the engine and was not known before.
        stages: those of the files that are the stages of the component, in order.
    """

    files: Mapping[str, str | None]
    weights: str
    key: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[str, ...] = ()


class BackendBuilder(Protocol):
    """A module of this package."""

    def identity(self, step: Step) -> dict[str, str]:
        """All that decides the engine besides its component's architecture and weights, before it is built."""
        ...

    def disk_bytes(self, step: Step) -> int:
        """The size of what is written."""
        ...

    def memory_bytes(self, step: Step) -> int:
        """What building takes at the peak."""
        ...

    def seconds(self, step: Step) -> float:
        """How long it takes, roughly: only ratios count."""
        ...

    def check(self, step: Step) -> None:
        """Finds what is missing on this machine.

        Raises:
            CheckpointError: the engine cannot be built here.
            ImportError: a library is missing; the message has the line that installs it.
        """
        ...

    def write(self, step: Step, folder: Path, console: Console) -> Built:
        """Builds the engine into a folder that is then moved to its place."""
        ...
