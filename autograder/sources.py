"""What must hold for a lesson's source before it is built: each rule is a sentence that names the cell."""

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KEYS = {"grade", "grade_id", "locked", "schema_version", "solution", "task"}


def complaints(notebook: NotebookNode, text: str, points: dict[str, int]) -> list[str]:
    """What is wrong with a lesson; `text` is its percent file, `points` the points of its exercises."""
    places = Places(notebook, text)
    found = []
    for cell in notebook.cells:
        found += [f"{places.of(cell)}: {sentence}" for sentence in shape(cell)]
    if found:
        return found
    for cell in notebook.cells:
        found += [f"{places.of(cell)}: {sentence}" for sentence in meaning(cell, points)]
    found += [f"{places.of(cell)}: this grade_id was used before" for cell in repeated(notebook)]
    return found + list(missing(notebook, points))


class Places:
    """Where a cell stands in the percent file."""

    def __init__(self, notebook: NotebookNode, text: str):
        lines = [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"# ?%%", line)]
        self.lines = lines if len(lines) == len(notebook.cells) else []
        self.cells = notebook.cells

    def of(self, cell: NotebookNode) -> str:
        number = next(n for n, other in enumerate(self.cells) if other is cell)
        name = grading(cell).get("grade_id")
        named = f" (grade_id {name!r})" if name else ""
        return f"line {self.lines[number]}{named}" if self.lines else f"cell {number + 1}{named}"


def grading(cell: NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})


def is_check(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(grading(cell).get("grade"))


def is_solution(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(grading(cell).get("solution"))


def shape(cell: NotebookNode) -> Iterator[str]:
    """The form of one cell's metadata and of its solution regions."""
    about = grading(cell)
    if "nbgrader" in cell.metadata:
        wanted = KEYS | {"points"} if about.get("grade") else KEYS
        if lacking := sorted(wanted - set(about)):
            yield f"its nbgrader metadata lacks {', '.join(lacking)}"
        if extra := sorted(set(about) - wanted):
            yield f"its nbgrader metadata has {', '.join(extra)}, which does not belong there"
        if about.get("schema_version", 3) != 3:
            yield f"schema_version is {about['schema_version']!r}; 3 is expected"
        name = about.get("grade_id", "x")
        if not isinstance(name, str) or not re.fullmatch(r"\w+", name):
            yield f"{name!r} is no grade_id; letters, digits and underscores are expected"
        if "points" in about and (not isinstance(about["points"], int | float) or about["points"] <= 0):
            yield f"points are {about['points']!r}; a number above 0 is expected"
    marks = re.findall(f"{BEGIN}|{END}", cell.source)
    if marks != [BEGIN, END] * (len(marks) // 2):
        yield f"each {BEGIN} needs its {END}, and they cannot be nested"
    elif marks and not about.get("solution"):
        yield "there is a solution region, but the cell is no solution cell; the solution would be released"
    elif about.get("solution") and not marks:
        yield f"it is a solution cell without {BEGIN} and {END}"


def meaning(cell: NotebookNode, points: dict[str, int]) -> Iterator[str]:
    """What a solution, check or question cell must say, where its form is right."""
    about, name = grading(cell), grading(cell).get("grade_id")
    if is_check(cell) and is_solution(cell):
        yield "a code cell is either a solution or a check"
    elif is_check(cell):
        yield from check_cell(cell, name.removeprefix("check_"), points)
    elif is_solution(cell):
        if name not in points:
            yield f"there is no exercise {name} in autograder/exercises/"
        if name not in defined(cell.source):
            yield f"it does not define {name}"
        if about["locked"]:
            yield "a solution cell cannot be locked"
    elif cell.cell_type == "markdown" and about.get("grade") != about.get("solution"):
        yield "a question needs grade and solution both true"


def check_cell(cell: NotebookNode, exercise: str, points: dict[str, int]) -> Iterator[str]:
    about = grading(cell)
    if about["grade_id"] != f"check_{exercise}":
        yield f"a check cell's grade_id starts with check_, such as check_{exercise}"
    elif exercise not in points:
        yield f"there is no exercise {exercise} in autograder/exercises/"
    elif about["points"] != points[exercise]:
        yield f"it gives {about['points']} points; the exercise's aspects add up to {points[exercise]}"
    if not re.search(rf"\bcheck\(\s*[\"']{exercise}[\"']", cell.source):
        yield f'it does not call check("{exercise}", ...)'
    if not about["locked"]:
        yield "a check cell must be locked"


def defined(source: str) -> set[str]:
    """The names that a cell binds at its top level."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return set()
    names = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return names | {target.id for target in targets if isinstance(target, ast.Name)}


def repeated(notebook: NotebookNode) -> Iterator[NotebookNode]:
    """The cells whose grade_id an earlier cell has."""
    seen = set()
    for cell in notebook.cells:
        name = grading(cell).get("grade_id")
        if name in seen:
            yield cell
        seen |= {name} - {None}


def missing(notebook: NotebookNode, points: dict[str, int]) -> Iterator[str]:
    """Exercises without a cell, and what every lesson has."""
    solutions = {grading(cell)["grade_id"] for cell in notebook.cells if is_solution(cell)}
    checks = {grading(cell)["grade_id"].removeprefix("check_") for cell in notebook.cells if is_check(cell)}
    for name in sorted((set(points) | checks) - solutions):
        yield f"{name} has no solution cell"
    for name in sorted((set(points) | solutions) - checks):
        yield f"{name} has no check cell (grade_id 'check_{name}')"
    if not any("setup" in cell.metadata.get("tags", []) for cell in notebook.cells):
        yield 'there is no setup cell (tags=["setup"])'
