"""TensorRT in both flavours: which module it is, and what the runtime asks of it besides running."""

import functools
import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from vidrt_engines.manifest import Engine, bundle_path
from vidrt_engines.names import Backend
from vidrt_engines.tensorrt_wheels import EXTRAS, MODULES

from vidrt.errors import EngineError, MissingExtraError

# TensorRT asks for whole weights at once; in pieces, no second copy of them lies on the host.
_PIECE = 64 << 20


def library(backend: Backend) -> ModuleType:
    """Imports the flavour's module.

    Raises:
        MissingExtraError: it is not installed, or a library that it needs is not.
    """
    try:
        return importlib.import_module(MODULES[backend])
    except ModuleNotFoundError as error:
        raise MissingExtraError(missing(backend)) from error
    except (ImportError, OSError) as error:
        told = str(error).strip().split("\n")[0].rstrip(".")
        cure = f"pip install --force-reinstall 'vidrt[{EXTRAS[backend]}]'"
        raise MissingExtraError(f"{MODULES[backend]} does not load ({told}); run: {cure}.") from error


def missing(backend: Backend) -> str:
    """The sentence for a flavour that is not installed."""
    return f"{MODULES[backend]} is not installed; run: pip install 'vidrt[{EXTRAS[backend]}]'."


@functools.cache
def logger(trt: ModuleType) -> Any:
    """The one logger that a process may give a flavour: it keeps the last error, for the sentence that tells it."""

    class LastError(trt.ILogger):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.message = ""

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.message = message

        def take(self) -> str:
            message, self.message = self.message, ""
            return message.strip().split("\n")[0].rstrip(".")

        def told(self) -> str:
            return self.take() or "it does not say why"

    return LastError()


def deserialised(trt: ModuleType, runtime: Any, path: Path) -> Any:
    """Reads a plan from its file straight to where its weights belong; None if it is none."""
    with path.open("rb") as file:
        return runtime.deserialize_cuda_engine(_reader(trt, file))


def refit(trt: ModuleType, cuda_engine: Any, engine: Engine, folder: Path, what: str) -> None:
    """Puts the weights into a plan that was built without them, from the graph beside it.

    Raises:
        EngineError: the graph is missing or does not fit the plan.
    """
    graph = next((file.path for file in engine.files if file.path.endswith(".onnx")), None)
    if graph is None:
        raise EngineError(f"The plan of the {what} has no weights and the bundle no graph to take them from.")
    log = logger(trt)
    parser = trt.OnnxParserRefitter(trt.Refitter(cuda_engine, log), log)
    if not parser.refit_from_file(str(bundle_path(folder, graph))):
        raise EngineError(f"TensorRT cannot put the weights of {graph} into the plan of the {what}: {log.told()}.")


def set_weight_budget(cuda_engine: Any, limit: int, what: str) -> None:
    """Keeps as many weights on the device as a limit for them and the engine's working memory allows.

    The others are brought from the host each time they are needed. Called before any context is made.

    Raises:
        EngineError: the engine was not built for that, or its working memory alone is over the limit.
    """
    streamable = cuda_engine.streamable_weights_size
    if not streamable:
        raise EngineError(f"The {what} was built without --stream-weights, so a memory limit has no effect on it.")
    cuda_engine.weight_streaming_budget_v2 = 0
    least = cuda_engine.device_memory_size_v2  # what streaming itself needs is in it
    if limit < least:
        raise EngineError(
            f"The {what} needs {least / 2**30:.2f} GiB besides its weights, which is over the memory limit of "
            f"{limit / 2**30:.2f} GiB."
        )
    cuda_engine.weight_streaming_budget_v2 = min(limit - least, streamable)


def _reader(trt: ModuleType, file: BinaryIO) -> Any:
    class Reader(trt.IStreamReaderV2):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            trt.IStreamReaderV2.__init__(self)

        def read(self, size: int, stream: int) -> bytes:
            del stream  # what is returned is copied before the next call
            return file.read(min(size, _PIECE))

        def seek(self, offset: int, where: Any) -> bool:
            position = trt.SeekPosition
            origins = {position.SET: os.SEEK_SET, position.CUR: os.SEEK_CUR, position.END: os.SEEK_END}
            file.seek(offset, origins[where])
            return True

    return Reader()
