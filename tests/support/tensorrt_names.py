"""Which names there are in the Python bindings of a flavour of TensorRT."""

import json
import os
import subprocess
import sys

_LIST_NAMES = """
import importlib, inspect, json, re, sys

def names(thing, prefix=""):
    for name in dir(thing):
        value = getattr(thing, name, None)
        yield prefix + name, prefix + name if inspect.isclass(value) else given(value)
        if inspect.isclass(value) and not name.startswith("_"):
            yield from names(value, f"{prefix}{name}.")

def given(value):
    text = getattr(value.fget if isinstance(value, property) else value, "__doc__", None) or ""
    match = re.search(r" -> tensorrt\\w*\\.\\w+\\.([\\w.]+)$", text, re.MULTILINE)
    return match[1] if match else ""

print(json.dumps(dict(names(importlib.import_module(sys.argv[1])))))
"""


def names_of(module, libraries=None):
    """The dotted names of a module's classes and their attributes, and the class that each is or gives, if any.

    Args:
        module: imported in a process of its own.
        libraries: a folder for the loader to look in first.
    """
    environment = dict(os.environ)
    if libraries:
        paths = [str(libraries), environment.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, paths))
    command = [sys.executable, "-c", _LIST_NAMES, module]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, f"{module} cannot be imported: {ended.stderr}"
    return json.loads(ended.stdout)


def has(flavour, use):
    """Whether a flavour has what is used; of several classes, one is enough."""
    return any(_has(flavour, name.split(".")) for name in use.names)


def _has(flavour, parts):
    name = ""
    for part in parts:
        name = f"{name}.{part}".lstrip(".")
        if name not in flavour:
            return False
        name = flavour[name]
        if not name:
            break  # what lies beyond a member, as in `BuilderFlag.REFIT.name`, is Python's
    return True
