"""Other people's answers, as the source of a cell: from the misconceptions and the equivalents of an exercise.

An implementation stands in a module among helpers and imports. Its cell holds what it needs of them, inside a
function if there is more than imports, so that the helpers of one answer do not meet those of another.
"""

import ast
from pathlib import Path

Definition = ast.FunctionDef | ast.ClassDef


class Module:
    """The top-level definitions of a Python file."""

    def __init__(self, path: Path):
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.defined: dict[str, ast.stmt] = {}
        for node in self.tree.body:
            for name in _bound(node):
                self.defined[name] = node

    def cell(self, name: str, answer: ast.expr | Definition) -> str:
        """The source of a cell that binds `name` to an expression, or to a function or class under that name."""
        needed = self._needed(answer)
        imports = [node for node in needed if isinstance(node, ast.Import | ast.ImportFrom)]
        helpers = [node for node in needed if node not in imports]
        if isinstance(answer, Definition):
            body: list[ast.stmt] = [_renamed(answer, name)]
        else:
            body = [ast.Assign([ast.Name(name, ast.Store())], answer)]
        if helpers:
            made = [*helpers, *body, ast.Return(ast.Name(name, ast.Load()))]
            empty = ast.arguments([], [], None, [], [], None, [])
            make = ast.parse("def _answer(): pass").body[0]
            make.args, make.body = empty, made
            body = [make, ast.parse(f"{name} = _answer()").body[0]]
        source = ast.Module([*imports, *body], [])
        return ast.unparse(ast.fix_missing_locations(source))

    def _needed(self, node: ast.AST) -> list[ast.stmt]:
        """The top-level statements that a node needs, in the module's order."""
        found: set[int] = set()
        waiting = [node]
        while waiting:
            for each in ast.walk(waiting.pop()):
                if isinstance(each, ast.Name) and each.id in self.defined:
                    statement = self.defined[each.id]
                    if id(statement) not in found and statement is not node:
                        found.add(id(statement))
                        waiting.append(statement)
        return [statement for statement in self.tree.body if id(statement) in found]


def misconceptions(path: Path) -> dict[str, list[tuple[str, str]]]:
    """By exercise, the (name of the misconception, source of the cell) of those that stand in the open.

    One that is made of another module's helpers is left out: a submission cannot import them.
    """
    module = Module(path)
    named = {
        target.id: ast.literal_eval(node.value.args[0])
        for node in module.tree.body
        if isinstance(node, ast.Assign) and _calls(node.value, "Exercise")
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in named.values()}
    for node in module.tree.body:
        if isinstance(node, Definition):
            for decorator in node.decorator_list:
                if _calls(decorator, "misconception") and getattr(decorator.func.value, "id", None) in named:
                    exercise = named[decorator.func.value.id]
                    source = module.cell(exercise, _undecorated(node))
                    if "from autograder.exercises" not in source:
                        found[exercise].append((_label(decorator), source))
    return found


def equivalents(path: Path) -> dict[str, list[str]]:
    """By exercise, the cells' sources of the right answers that a file of EQUIVALENTS lists."""
    module = Module(path)
    listing = module.defined["EQUIVALENTS"].value
    if not isinstance(listing, ast.Dict):
        return {}
    return {
        key.value: [module.cell(key.value, element) for element in value.elts if not isinstance(element, ast.Starred)]
        for key, value in zip(listing.keys, listing.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(value, ast.List | ast.Tuple)
    }


def _bound(node: ast.stmt) -> list[str]:
    """The names that a top-level statement binds; not those of registered answers, which are all called alike."""
    if isinstance(node, Definition):
        return [node.name] if node.name != "_" else []
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def _calls(node: ast.expr, name: str) -> bool:
    called = getattr(node, "func", None)
    return isinstance(node, ast.Call) and name in (getattr(called, "attr", None), getattr(called, "id", None))


def _label(decorator: ast.Call) -> str:
    given = decorator.args[:1] or [keyword.value for keyword in decorator.keywords if keyword.arg == "name"]
    return ast.literal_eval(given[0])


def _undecorated(node: Definition) -> Definition:
    copy = ast.parse(ast.unparse(node)).body[0]
    copy.decorator_list = []
    return copy


def _renamed(node: Definition, name: str) -> Definition:
    node.name = name
    return node
