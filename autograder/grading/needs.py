"""What the process that forks for a lesson's submissions must have: found out without importing anything slow."""

import re
from dataclasses import dataclass
from pathlib import Path

from autograder import lessons
from autograder.grading.notebook import skeleton_step
from autograder.grading.sandbox import Zygote

DATASETS = Path(__file__).resolve().parent.parent.parent / "datasets"
LESSON_CALL = re.compile(r"\blesson\(\s*[\"'](\w+)[\"']\s*\)")


@dataclass(frozen=True)
class Needs:
    """imports: modules. earlier: (name, source) of earlier lessons. setup: the lesson's own first cells."""

    imports: tuple[str, ...]
    earlier: tuple[tuple[str, str], ...]
    setup: tuple[str, ...]

    def zygote(self, sandboxed: bool) -> Zygote:
        """Start the process that imports once and forks for each submission."""
        datasets = DATASETS if DATASETS.is_dir() else None
        return Zygote(list(self.imports), dict(self.earlier), list(self.setup), datasets, sandboxed)


def first_open_cell(cells: list) -> int:
    """The index of the first cell that is the student's, or asks for something that is."""
    roles = [skeleton_step(cell, i).role for i, cell in enumerate(cells)]
    return next((i for i, role in enumerate(roles) if role in ("solution", "check")), len(roles))


def needs(lesson: str, cells: list) -> Needs:
    """Of a lesson, from the cells of the instructor's notebook (plain JSON will do)."""
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    earlier = {name: lessons.library_source(name) for name in lessons.names() if name < lesson}
    wanted = [name for name in dict.fromkeys(LESSON_CALL.findall(code)) if name in earlier]
    needs_torch = "torch" in code or any("import torch" in earlier[name] for name in wanted)
    steps = [skeleton_step(cell, i) for i, cell in enumerate(cells[: first_open_cell(cells)])]
    return Needs(
        ("numpy", "matplotlib.pyplot", *(["torch"] if needs_torch else [])),
        tuple(earlier.items()),
        tuple(step.source for step in steps if step.role == "instructor"),
    )
