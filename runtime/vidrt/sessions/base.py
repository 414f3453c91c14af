"""What every backend's session promises."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from vidrt_engines.manifest import Engine
from vidrt_engines.tensors import check_arrays

from vidrt.arrays import AnyArray
from vidrt.cuda.arrays import MixedArray
from vidrt.errors import EngineError, RequestError


class Session(Protocol):
    """An opened engine: named arrays in, named arrays out, on the device if any input was there."""

    provider: str

    def run(self, arrays: Mapping[str, MixedArray]) -> dict[str, Any]:
        """Runs the engine once on arrays named as the manifest names them."""
        ...

    def close(self) -> None:
        """Releases the engine's memory; may be called twice."""
        ...


def check_inputs(engine: Engine, arrays: Mapping[str, MixedArray], what: str) -> None:
    """Compares arrays with the manifest before they reach an engine.

    Raises:
        RequestError: a name, type, rank or size that does not fit.
    """
    described = {name: (str(array.dtype), array.shape) for name, array in arrays.items()}
    if problem := check_arrays(engine.inputs, described):
        raise RequestError(f"The {what} got inputs that do not fit it: {problem}.")


def check_outputs(arrays: Mapping[str, AnyArray], what: str) -> None:
    """Stops a run whose values are lost, before they become black frames.

    Raises:
        EngineError: a value that is infinite or no number.
    """
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise EngineError(
                f"The {what} gave infinite values or no numbers as '{name}'; build it with --precision fp32."
            )
