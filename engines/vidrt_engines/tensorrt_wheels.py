"""TensorRT's flavours as they are installed: modules, extras, and for which CUDA they were built."""

import functools
import re

from vidrt_engines.names import Backend

MODULES = {Backend.TENSORRT: "tensorrt", Backend.TENSORRT_RTX: "tensorrt_rtx"}
EXTRAS = {Backend.TENSORRT: "tensorrt", Backend.TENSORRT_RTX: "rtx"}
# the wheels that hold the libraries carry the major version of CUDA in their names
_LIBRARIES = {
    Backend.TENSORRT: re.compile(r"tensorrt[_-]cu(\d+)[_-]libs"),
    Backend.TENSORRT_RTX: re.compile(r"tensorrt[_-]rtx[_-]cu(\d+)[_-]libs"),
}


def library_cuda(backend: Backend) -> str | None:
    """The major version of CUDA, such as "13"; None where no wheel tells, as with a library of the system."""
    if backend not in _LIBRARIES:
        return None
    matches = (_LIBRARIES[backend].fullmatch(name) for name in _installed())
    return next((match[1] for match in matches if match), None)


@functools.cache
def _installed() -> tuple[str, ...]:
    from importlib.metadata import distributions  # brings an e-mail parser: only where it is asked

    return tuple(str(distribution.metadata["Name"]).lower() for distribution in distributions())
