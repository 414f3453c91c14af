"""The two flavours of TensorRT, behind one set of names."""

import importlib
import importlib.metadata
import os
from types import ModuleType

from vidrt_engines.cuda_driver import gpus
from vidrt_engines.names import Backend
from vidrt_engines.tensorrt_wheels import EXTRAS, MODULES

# Which GPUs an engine of TensorRT for RTX runs on that was built without one: its builder's default targets.
RTX_TARGETS = "8.0 8.6 8.9 12.0+"


def load(flavour: Backend) -> ModuleType:
    """The flavour's module; Polygraphy, imported after this, takes the same one.

    Raises:
        ImportError: it is not installed; the message has the line that installs it.
    """
    os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = "1" if flavour is Backend.TENSORRT_RTX else "0"
    try:
        return importlib.import_module(MODULES[flavour])
    except ImportError as error:
        raise ImportError(_missing(flavour), name=MODULES[flavour]) from error


def version(flavour: Backend) -> str:
    """The version of the flavour that is installed, as its module says it; nothing is imported.

    Raises:
        ImportError: it is not installed; the message has the line that installs it.
    """
    try:
        return importlib.metadata.version(MODULES[flavour])
    except importlib.metadata.PackageNotFoundError as error:
        raise ImportError(_missing(flavour), name=MODULES[flavour]) from error


def machine(backend: Backend) -> dict[str, str]:
    """For which GPU an engine is compiled: TensorRT proper, the one that is here; for RTX, any of its targets."""
    if backend is Backend.TENSORRT and (here := gpus()):
        return {"gpu": here[0].name, "compute_capability": here[0].compute_capability}
    return {"gpu": "any", "compute_capability": RTX_TARGETS}


def _missing(flavour: Backend) -> str:
    return f"{MODULES[flavour]} is not installed; run: pip install 'vidrt[export,{EXTRAS[flavour]}]'"
