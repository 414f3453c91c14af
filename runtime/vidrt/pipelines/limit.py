"""Requests under a memory limit on the CPU: refused where they cannot fit, engines closed between phases."""

from collections.abc import Callable, Iterable, Mapping

from vidrt_engines.manifest import Engine

from vidrt.components.base import EngineComponent
from vidrt.planning.calibration import PROCESS
from vidrt.planning.phases import Phase
from vidrt.planning.report import spoken


class MemoryLimit:
    """Holds a pipeline to so many bytes of memory of its own.

    Args:
        limit: in bytes; weights that lie mapped in files do not count.
        components: of the pipeline.
        note: told when engines that were to stay open are closed.
    """

    def __init__(self, limit: int, components: Mapping[str, EngineComponent], note: Callable[[str], None]) -> None:
        self.bytes, self._components, self._note = limit, components, note
        self._kept: dict[str, int] = {}

    @property
    def engines(self) -> dict[str, Engine]:
        """The manifest's engine of each component."""
        return {name: component.engine.engine for name, component in self._components.items()}

    def keep_open(self, phases: Iterable[Phase]) -> None:
        """Lets engines stay open between phases if all together fit, with the most that each ever took."""
        wanted = dict(self._kept)
        for phase in phases:
            if phase.need is not None:
                own = phase.need.own - PROCESS
                wanted[phase.component] = max(own, wanted.get(phase.component, 0))
        together = PROCESS + sum(wanted.values())
        fits = together <= self.bytes
        self._kept = wanted if fits else {}
        engines = [component.engine for component in self._components.values()]
        if not fits and any(engine.keeps_loaded for engine in engines):
            self._note(
                f"Engines are closed between phases: all together would take {spoken(together)}, and the limit is "
                f"{spoken(self.bytes)}."
            )
        for engine in engines:
            engine.stay_open(fits)
