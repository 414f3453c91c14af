"""Times what the engines of a pipeline do: opening, and each run."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vidrt_engines.manifest import Engine

from vidrt.components.base import EngineComponent
from vidrt.cuda.arrays import DeviceArray, MixedArray
from vidrt.sessions.base import Session
from vidrt.sessions.component_engine import ComponentEngine


@dataclass(frozen=True, kw_only=True)
class Work:
    """Something that an engine did, from `begin` to `end` as `time.perf_counter` has them.

    Attributes:
        component: its name.
        engine: the component's, as the manifest describes it.
        stage: the number of the stage that did it; None for the engine itself.
        is_opening: whether it was opened, or run.
        shapes: of a run's inputs.
    """

    component: str
    engine: Engine
    stage: int | None = None
    is_opening: bool
    begin: float
    end: float
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


class Stopwatch:
    """Watches engines from here on; what they do is in `done`, in its order.

    Args:
        waits: for how many runs of each engine whose results stay on a GPU it waits; those behind them are not timed,
            so that the GPU's queue does not run dry.
    """

    def __init__(self, waits: float = math.inf) -> None:
        self.done: list[Work] = []
        self._waits = waits

    def watch(self, components: Mapping[str, EngineComponent]) -> None:
        """Watches the engines of components and those of their stages."""
        for name, component in components.items():
            engine = component.engine
            for stage, part in [(None, engine), *enumerate(engine.stages)]:
                self._watch(part, name, engine.engine, stage)

    def _watch(self, part: ComponentEngine, name: str, engine: Engine, stage: int | None) -> None:
        load, run = part.load, part.run
        what: Any = {"component": name, "engine": engine, "stage": stage}
        waited = 0

        def timed_load() -> Session:
            if part.provider is not None:
                return load()
            begin = time.perf_counter()
            session = load()
            self.done.append(Work(**what, is_opening=True, begin=begin, end=time.perf_counter()))
            return session

        def timed_run(arrays: Mapping[str, MixedArray]) -> dict[str, Any]:
            nonlocal waited
            with part.held():  # opened before the clock starts
                begin = time.perf_counter()
                outputs = run(arrays)
                queued = [value for value in outputs.values() if isinstance(value, DeviceArray)]
                if queued and waited >= self._waits:
                    return outputs
                for value in queued[:1]:
                    waited += 1
                    value.device.synchronise()
                end = time.perf_counter()
            shapes = {key: tuple(value.shape) for key, value in arrays.items()}
            self.done.append(Work(**what, is_opening=False, begin=begin, end=end, shapes=shapes))
            return outputs

        # the instance's own, so that the class and other pipelines stay as they are
        part.load, part.run = timed_load, timed_run  # type: ignore[method-assign]
