"""What must hold for a lesson's source before it is built: each rule is a sentence that names the cell."""

import ast
import re
from collections.abc import Iterator

from autograder.lessons import Cell

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KEYS = {"grade", "grade_id", "locked", "schema_version", "solution", "task"}


def complaints(cells: list[Cell], points: dict[str, int]) -> list[str]:
    """What is wrong with a lesson; `points` are those of its exercises."""
    found = [f"{place(cell)}: {sentence}" for cell in cells for sentence in shape(cell)]
    if found:
        return found
    found = [f"{place(cell)}: {sentence}" for cell in cells for sentence in meaning(cell, points)]
    found += [f"{place(cell)}: this grade_id was used before" for cell in repeated(cells)]
    return found + list(missing(cells, points))


def place(cell: Cell) -> str:
    name = cell.nbgrader.get("grade_id")
    return f"line {cell.line - 1}" + (f" (grade_id {name!r})" if name else "")


def shape(cell: Cell) -> Iterator[str]:
    """The form of one cell's metadata and of its solution regions."""
    about = cell.nbgrader
    if about:
        yield from metadata_shape(about)
    marks = re.findall(f"{BEGIN}|{END}", cell.source)
    if marks != [BEGIN, END] * (len(marks) // 2):
        yield f"each {BEGIN} needs its {END}, and they cannot be nested"
    elif marks and not about.get("solution"):
        yield "there is a solution region, but the cell is no solution cell; the solution would be released"
    elif about.get("solution") and not marks:
        yield f"it is a solution cell without {BEGIN} and {END}"


def metadata_shape(about: dict) -> Iterator[str]:
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


def meaning(cell: Cell, points: dict[str, int]) -> Iterator[str]:
    """What a solution, check or question cell must say, where its form is right."""
    about = cell.nbgrader
    grade, solution = about.get("grade"), about.get("solution")
    if cell.kind == "markdown" and grade != solution:
        yield "a question needs grade and solution both true"
    elif cell.kind == "code" and grade and solution:
        yield "a code cell is either a solution or a check"
    elif cell.kind == "code" and grade:
        yield from check_cell(cell, points)
    elif cell.is_solution:
        yield from solution_cell(cell, points)


def check_cell(cell: Cell, points: dict[str, int]) -> Iterator[str]:
    about, name = cell.nbgrader, cell.exercise
    if name is None:
        yield "a check cell's grade_id is check_ and the name of an exercise"
    elif name not in points:
        yield f"there is no exercise {name} in this lesson's autograder/exercises/"
    elif about["points"] != points[name]:
        yield f"it gives {about['points']} points; the exercise's aspects add up to {points[name]}"
    if name and not re.search(rf"\bcheck\(\s*[\"']{name}[\"']", cell.source):
        yield f'it does not call check("{name}", ...)'
    if not about["locked"]:
        yield "a check cell must be locked"


def solution_cell(cell: Cell, points: dict[str, int]) -> Iterator[str]:
    name = cell.nbgrader["grade_id"]
    if name not in points:
        yield f"there is no exercise {name} in this lesson's autograder/exercises/"
    if name not in defined(cell.source):
        yield f"it does not define {name}"
    if cell.nbgrader["locked"]:
        yield "a solution cell cannot be locked"


def defined(source: str) -> set[str]:
    """The names that a cell binds at its top level."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return set()
    names = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    return names | {target.id for target in targets if isinstance(target, ast.Name)}


def repeated(cells: list[Cell]) -> Iterator[Cell]:
    """The cells whose grade_id an earlier cell has."""
    seen = set()
    for cell in cells:
        name = cell.nbgrader.get("grade_id")
        if name in seen:
            yield cell
        seen |= {name} - {None}


def missing(cells: list[Cell], points: dict[str, int]) -> Iterator[str]:
    """Exercises without a cell, and what every lesson has."""
    solutions = {cell.nbgrader["grade_id"] for cell in cells if cell.is_solution}
    checks = {cell.exercise for cell in cells} - {None}
    for name in sorted((set(points) | checks) - solutions):
        yield f"{name} has no solution cell"
    for name in sorted((set(points) | solutions) - checks):
        yield f"{name} has no check cell (grade_id 'check_{name}')"
    if not any("setup" in cell.tags for cell in cells):
        yield 'there is no setup cell (tags=["setup"])'
