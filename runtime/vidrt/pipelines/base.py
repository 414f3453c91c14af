"""What the pipelines of all families have in common: how they are called, and their end."""

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Unpack

from vidrt_engines.manifest import Bundle
from vidrt_engines.names import Component

from vidrt.closing import Closing
from vidrt.components.base import EngineComponent
from vidrt.devices import Device, described
from vidrt.errors import RequestError
from vidrt.output.video import Video
from vidrt.pipelines.evaluations import Evaluations
from vidrt.pipelines.limit import MemoryLimit
from vidrt.pipelines.ltx_video.request import Run
from vidrt.pipelines.options import Options, Step
from vidrt.pipelines.svd.request import SvdRun
from vidrt.progress import Progress
from vidrt.sessions.resources import Resources


class Pipeline(Closing):
    """Plays a bundle; a context manager that releases every engine at its end."""

    def __init__(
        self, bundle: Bundle, components: dict[str, EngineComponent], progress: Progress, resources: Resources
    ) -> None:
        self.bundle, self.components = bundle, components
        self._progress, self._resources = progress, resources
        limit = resources.memory_limit if resources.device.kind == "cpu" else None
        self._limit = None if limit is None else MemoryLimit(limit, components, progress.note)

    @property
    def place(self) -> Device:
        """Where the engines run."""
        return self._resources.device

    @property
    def device(self) -> str:
        """Where the engines run and what runs them, as in `cpu (onnxruntime)` or `cuda:0, NVIDIA L4 (tensorrt)`."""
        backends = dict.fromkeys(str(component.engine.engine.backend) for component in self.components.values())
        return f"{described(self._resources.device)} ({', '.join(backends)})"

    @property
    def memory_limit(self) -> int | None:
        """Bytes that the process may take of its own on the CPU; None where there is no such limit."""
        return None if self._limit is None else self._limit.bytes

    def __call__(self, **options: Unpack[Options]) -> Video:
        """Makes one video.

        Args:
            **options: what the bundle's family takes of `Options`.

        Raises:
            RequestError: the request cannot be right; raised before any weight is read.
            EngineError: an engine cannot be opened, or failed.
        """
        if options.get("num_videos", 1) != 1:
            raise RequestError("A call makes one video; for several use pipeline.videos(num_videos=…).")
        return self.videos(**options)[0]

    def videos(self, **options: Unpack[Options]) -> list[Video]:
        """Makes `num_videos` videos of one request from one seed; arguments and errors as for a call."""
        return self.decode(self.denoised(**options))

    def denoised(self, **options: Unpack[Options]) -> Step:
        """Runs every step, showing progress, and returns the last."""
        run = self.check(**options)
        options["seed"] = run.seed
        with self._progress.task("denoising", total=run.kept_steps) as task:
            for step in self.denoise(**options):  # noqa: B007 - the last one is wanted
                task.advance()
        return step

    @abstractmethod
    def denoise(self, **options: Unpack[Options]) -> Iterator[Step]:
        """Denoises step by step: the caller owns progress, previews (`decode(step)`) and early stop.

        The request is checked at once; engines are opened when the first step is asked for.
        """

    @abstractmethod
    def settled(self, **options: Unpack[Options]) -> Run | SvdRun:
        """Checks a request but for a memory limit, and fills in what it leaves open, with a seed; nothing is loaded.

        Raises:
            RequestError: what cannot be right.
        """

    @abstractmethod
    def check(self, **options: Unpack[Options]) -> Run | SvdRun:
        """Checks a request and fills in what it leaves open, a seed included; nothing is loaded.

        Raises:
            RequestError: what cannot be right, or is over a memory limit.
        """

    @abstractmethod
    def limited(self, **options: Unpack[Options]) -> list[str]:
        """What a memory limit makes of a request, a line each; none where nothing is other than without one.

        Raises:
            RequestError: the request is over the limit by every way.
        """

    @abstractmethod
    def sizes(self, **options: Unpack[Options]) -> list[tuple[Component, dict[str, int]]]:
        """The components that a request takes and the sizes of their axes, each as often as it meets others.

        Raises:
            RequestError: what cannot be right.
        """

    @abstractmethod
    def evaluations(self, **options: Unpack[Options]) -> list[Evaluations]:
        """What a request asks of each engine: how many runs, at which sizes.

        Raises:
            RequestError: what cannot be right.
        """

    @abstractmethod
    def decode(self, step: Step) -> list[Video]:
        """Decodes the latents of a step, the last or any before; the run's random streams stay as they are."""

    def close(self) -> None:
        """Releases every engine."""
        for component in self.components.values():
            component.engine.close()
        self._resources.close()

    def _own(self, options: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
        """The options that were given.

        Raises:
            RequestError: one that the bundle's family does not know.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if foreign := [name for name in given if name not in known]:
            raise RequestError(
                f"{self.bundle.family.spoken} takes no {foreign[0]}: leave it out, or use another bundle."
            )
        return given
