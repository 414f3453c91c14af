"""What all components share: an engine that is opened for a phase."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vidrt.arrays import AnyArray, FloatArray
from vidrt.cuda.arrays import MixedArray
from vidrt.sessions.component_engine import ComponentEngine


class EngineComponent:
    """A component and its engine; calling it opens the engine for the call, `held` for a phase of several."""

    def __init__(self, engine: ComponentEngine) -> None:
        self.engine = engine

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the engine open until the context ends."""
        with self.engine.held():
            yield

    def __call__(self, *args: Any, **kwargs: Any) -> AnyArray:
        """Runs the component: each one says which arrays it takes and gives."""
        raise NotImplementedError

    def put(self, values: FloatArray) -> Any:
        """Brings values to where the engine computes, so that runs on them leave their results there too."""
        return self.engine.put(values)

    def run(self, **arrays: MixedArray) -> dict[str, Any]:
        """Runs the engine: arrays named as the manifest names them, in and out.

        Raises:
            RequestError: an array does not fit the manifest.
            EngineError: the engine cannot be opened, or failed.
        """
        return self.engine.run(arrays)
