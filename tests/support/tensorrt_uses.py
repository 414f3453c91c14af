"""Which names of TensorRT a piece of our code uses, read from its syntax tree."""

import ast
from dataclasses import dataclass

from own_names import own_names, variable_of

# In code about TensorRT these names, with or without `self._`, hold objects of these classes. What is annotated with
# a type of our own, made by a class of our own, or runs through a loop is left alone.
CLASSES = {
    "builder": {"Builder"},
    "network": {"INetworkDefinition"},
    "config": {"IBuilderConfig", "IRuntimeConfig"},
    "builder_config": {"IBuilderConfig"},
    "runtime_config": {"IRuntimeConfig"},
    "runtime_cache": {"IRuntimeCache"},
    "cache": {"IRuntimeCache", "ITimingCache"},
    "parser": {"OnnxParser"},
    "refitter": {"Refitter"},
    "runtime": {"Runtime"},
    "engine": {"ICudaEngine"},
    "cuda_engine": {"ICudaEngine"},
    "context": {"IExecutionContext"},
    "profile": {"IOptimizationProfile"},
    "layer": {"ILayer"},
    "tensor": {"ITensor"},
    "inspector": {"EngineInspector"},
}
_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Use:
    """A name in use, `Class.method.attribute` where a call lies between; several where a variable may be several."""

    where: str
    names: tuple[str, ...]
    is_guarded: bool

    def __str__(self):
        return " or ".join(self.names)


def uses(source, where):
    """Every use in a file: what follows the module `trt`, and what follows the objects of `CLASSES`."""
    return _Finder(ast.parse(source), where).found


class _Finder(ast.NodeVisitor):
    def __init__(self, tree, where):
        self.found = []
        self._where, self._scopes = where, []
        self._classes = {name: set(classes) for name, classes in CLASSES.items()}
        self._guarded = {node.args[1].value for node in ast.walk(tree) if _asks(node, "hasattr")}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and (name := _made(node.value)):
                self._learn(node.targets, name)
        self.visit(tree)

    def _learn(self, targets, name):
        """A variable that is given `trt.Class` or `trt.Class(…)` holds that class or one of its objects."""
        for variable in map(variable_of, targets):
            if variable:
                self._classes.setdefault(_bare(variable), set()).add(name)

    def visit(self, node):
        if isinstance(node, _SCOPES):
            self._scopes.append(own_names(node))
            self.generic_visit(node)
            self._scopes.pop()
            return
        if isinstance(node, ast.Attribute):
            self._add(node, node.value, node.attr)
        if _asks(node, "getattr", "hasattr"):
            self._add(node, node.args[0], node.args[1].value)
        self.generic_visit(node)

    def _add(self, node, thing, attribute):
        names = tuple(f"{path}.{attribute}".lstrip(".") for path in self._paths(thing))
        if names:
            self.found.append(Use(f"{self._where}:{node.lineno}", names, attribute in self._guarded))

    def _paths(self, thing):
        """What may have led to an object: `""` for the module, else the names from it on, through calls."""
        variable = variable_of(thing) or ""
        if _bare(variable) == "trt":
            return [""]
        if any(variable in scope for scope in self._scopes):
            return []
        if _bare(variable) in self._classes:
            return sorted(self._classes[_bare(variable)])
        if isinstance(thing, ast.Call):
            return self._paths(thing.func)
        if isinstance(thing, ast.Attribute):
            return [f"{path}.{thing.attr}".lstrip(".") for path in self._paths(thing.value)]
        return []


def _asks(node, *functions):
    """Whether a node is `hasattr(thing, "name")` or its like."""
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions
    return is_call and len(node.args) > 1 and isinstance(node.args[1], ast.Constant)


def _made(node):
    """The class of `trt.Class` or `trt.Class(…)`, or nothing."""
    thing = node.func if isinstance(node, ast.Call) else node
    variable = variable_of(thing.value) if isinstance(thing, ast.Attribute) else None
    return thing.attr if variable and _bare(variable) == "trt" and thing.attr[0].isupper() else None


def _bare(variable):
    return variable.removeprefix("self.").lstrip("_")
