"""How far TensorRT's builder is, as one number."""

import threading
from collections.abc import Callable
from typing import Any


def progress_monitor(trt: Any, tell: Callable[[float], None]) -> Any:
    """A progress monitor for a builder.

    Args:
        trt: the flavour's module.
        tell: given the part of the work that is done, 0 to 1, whenever it grows by a hundredth.
    """

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # the module is not known before
        """Phases lie within phases, and each says how many steps it has; called from several threads."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._phases, self._lock = Phases(), threading.Lock()
            self._told = 0.0

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            with self._lock:
                self._phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            with self._lock:
                self._phases.step(phase_name, step)
                self._tell()
            return True

        def phase_finish(self, phase_name: str) -> None:
            with self._lock:
                self._phases.finish(phase_name)
                self._tell()

        def _tell(self) -> None:
            done = self._phases.done
            if done - self._told >= 0.01:  # noqa: PLR2004 - a hundredth
                self._told = done
                tell(done)

    return Monitor()


class Phases:
    """The builder's phases: each takes one step of its parent."""

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._parents: dict[str, str | None] = {}
        self.done = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase begins."""
        self._steps[name], self._done[name], self._parents[name] = max(steps, 1), 0, parent

    def step(self, name: str, number: int) -> None:
        """A phase has done its step `number`, counted from 0."""
        self._done[name] = number + 1
        self._update()

    def finish(self, name: str) -> None:
        """A phase has ended, whether it did all its steps or not."""
        self._done[name] = self._steps[name]
        self._update()
        self._steps.pop(name), self._done.pop(name), self._parents.pop(name)

    def _update(self) -> None:
        """What is done never falls, although phases come that were not announced."""
        roots = [name for name, parent in self._parents.items() if parent is None]
        self.done = max([self.done, *(self._part(root) for root in roots)])

    def _part(self, name: str) -> float:
        children = [child for child, parent in self._parents.items() if parent == name]
        within = max((self._part(child) for child in children if self._done[child] < self._steps[child]), default=0.0)
        return min(1.0, (self._done[name] + within) / self._steps[name])
