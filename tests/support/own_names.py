"""Which variables of a function or class hold objects of our own, as far as its syntax tells."""

import ast

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_FOREIGN = ("Any", "object", "trt.")


def variable_of(node):
    """`name` or `self.name` as written; nothing for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    is_own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    return f"self.{node.attr}" if is_own else None


def own_names(scope):
    """The variables, `self.name` for a class, that are annotated so, made by our classes, or run through a loop."""
    if isinstance(scope, ast.ClassDef):
        fields = {f"self.{part.target.id}" for part in scope.body if _is_own(part)}
        own, foreign = fields, set()
        for function in (part for part in scope.body if isinstance(part, _FUNCTIONS)):
            names, others = _assigned(function, "self.")
            own, foreign = own | names, foreign | others
        return own - foreign
    own, foreign = _assigned(scope, "")
    return _parameters(scope) | (own - foreign)


def _parameters(function):
    arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return {argument.arg for argument in arguments if _is_own(argument)}


def _assigned(function, prefix):
    """What a function binds under a prefix: to objects of our own, and to others."""
    parameters = _parameters(function)
    own, foreign = set(), set()
    for node in ast.walk(function):
        for target, is_own in _bindings(node, parameters):
            variable = variable_of(target)
            if variable and variable.startswith("self.") == bool(prefix):
                (own if is_own else foreign).add(variable)
    return own, foreign


def _bindings(node, parameters):
    """The targets that a node binds: whether to an object of our own."""
    if isinstance(node, ast.AnnAssign):
        yield node.target, _is_own(node)
    elif isinstance(node, ast.For | ast.comprehension):
        yield from ((target, True) for target in ast.walk(node.target))
    elif isinstance(node, ast.withitem) and node.optional_vars:
        yield node.optional_vars, True
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            for each, value in _pairs(target, node.value):
                if not (isinstance(value, ast.Constant) and value.value is None):
                    yield each, _is_made_by_us(value, parameters)


def _pairs(target, value):
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def _is_made_by_us(value, parameters):
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id[0].isupper()
    return isinstance(value, ast.Name) and value.id in parameters


def _is_own(node):
    annotation = getattr(node, "annotation", None)
    return annotation is not None and not ast.unparse(annotation).startswith(_FOREIGN)
