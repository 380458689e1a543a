"""The lessons' files: their cells, which exercises they hold, and their code as modules for later lessons."""

import importlib
import json
import re
import sys
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from autograder.exercise import Exercise

PACKAGE = Path(__file__).parent
SOLUTIONS = PACKAGE.parent / "solutions"
STAGED = PACKAGE / "_lessons"
HEADER = re.compile(r"^# %%(?P<options>.*)$")


@dataclass
class Cell:
    """One cell of a percent file. line: where its source begins, counted from 1."""

    kind: str
    source: str
    line: int
    tags: list[str] = field(default_factory=list)
    nbgrader: dict = field(default_factory=dict)

    @property
    def is_solution(self) -> bool:
        return self.kind == "code" and self.nbgrader.get("solution", False)

    @property
    def exercise(self) -> str | None:
        """The graded name that this check cell checks."""
        grade_id = self.nbgrader.get("grade_id", "")
        is_check = self.kind == "code" and self.nbgrader.get("grade") and grade_id.startswith("check_")
        return grade_id.removeprefix("check_") if is_check else None


def names() -> list[str]:
    """All lessons, in order."""
    return sorted(path.stem for path in SOLUTIONS.glob("[0-9][0-9]_*.py"))


def path(name: str) -> Path:
    """The percent file of a lesson; ValueError if there is none."""
    if name not in names():
        near = get_close_matches(name, names(), 1)
        raise ValueError(f"there is no lesson {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")
    return SOLUTIONS / f"{name}.py"


def cells(file: Path) -> list[Cell]:
    """The cells of a percent file, in order."""
    found: list[Cell] = []
    lines: list[str] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
        header = HEADER.match(line)
        if header:
            _finish(found, lines)
            found.append(_cell(header["options"], number + 1))
        elif found:
            lines.append(line)
    _finish(found, lines)
    return found


def _cell(options: str, line: int) -> Cell:
    kind = "markdown" if "[markdown]" in options else "code"
    return Cell(kind, "", line, _option(options, "tags", []), _option(options, "nbgrader", {}))


def _option(options: str, key: str, default):
    place = options.find(f"{key}=")
    if place < 0:
        return default
    return json.JSONDecoder().raw_decode(options, place + len(key) + 1)[0]


def _finish(found: list[Cell], lines: list[str]) -> None:
    if found:
        found[-1].source = "\n".join(lines).strip("\n")
    lines.clear()


@lru_cache
def catalog() -> dict[str, dict[str, int]]:
    """Each lesson's exercises and their points, in order."""
    return {
        name: {cell.exercise: cell.nbgrader["points"] for cell in cells(path(name)) if cell.exercise}
        for name in names()
    }


def topic(name: str) -> str:
    """The name of a lesson's module of exercises: "masking" for "03_masking"."""
    return name.split("_", 1)[1]


@lru_cache
def find(exercise: str) -> Exercise:
    """The exercise of that name; ValueError if there is none."""
    for name, exercises in catalog().items():
        if exercise in exercises:
            module = importlib.import_module(f"autograder.exercises.{topic(name)}")
            for value in vars(module).values():
                if isinstance(value, Exercise) and value.name == exercise:
                    return value
    known = [each for exercises in catalog().values() for each in exercises]
    near = get_close_matches(exercise, known, 1)
    raise ValueError(f"there is no exercise {exercise!r}{f'; did you mean {near[0]!r}?' if near else ''}")


def library_source(name: str) -> str:
    """The code that a lesson gives to later ones: its setup and solution cells, each at its own line number."""
    source, line = [], 1
    for cell in cells(path(name)):
        if cell.kind == "code" and ("setup" in cell.tags or cell.is_solution):
            source.append("\n" * max(0, cell.line - line) + cell.source + "\n")
            line = max(line, cell.line) + cell.source.count("\n") + 1
    return "".join(source)


def solution(exercise: str) -> str:
    """The source of the solution cell of an exercise."""
    for name, exercises in catalog().items():
        if exercise in exercises:
            for cell in cells(path(name)):
                if cell.is_solution and cell.nbgrader["grade_id"] == exercise:
                    return re.sub(r"(?m)^\s*### (BEGIN|END) SOLUTION\n?", "", cell.source)
    raise ValueError(f"there is no exercise {exercise!r}")


def lesson(name: str) -> ModuleType:
    """What a lesson built: a module with its solutions, such as lesson("03_masking").masked_softmax.

    Raises ValueError if there is no such lesson.
    """
    module_name = f"autograder.lesson_{name}"
    if module_name not in sys.modules:
        staged = STAGED / f"{name}.py"
        file = staged if STAGED.exists() and staged.exists() else path(name)
        source = file.read_text(encoding="utf-8") if file == staged else library_source(name)
        module = ModuleType(module_name, f"What lesson {name} built.")
        module.__file__ = str(file)
        sys.modules[module_name] = module
        try:
            exec(compile(source, str(file), "exec"), vars(module))
        except BaseException:
            del sys.modules[module_name]
            raise
    return sys.modules[module_name]
