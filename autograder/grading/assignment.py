"""Everything that is needed to grade a lesson, gathered once for a whole class."""

import importlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbgrader.preprocessors import ClearHiddenTests, ClearOutput, ClearSolutions, ComputeChecksums
from traitlets.config import Config

from autograder import lessons
from autograder.cli import Problem
from autograder.exercise import Exercise
from autograder.grading import notebook, run
from autograder.grading.needs import Needs, first_open_cell, needs
from autograder.grading.sandbox import Limits, Zygote
from autograder.grading.seed import seeds


@dataclass
class Assignment:
    """A lesson, ready to be graded. first: the index of the first cell that is the student's."""

    lesson: str
    skeleton: nbformat.NotebookNode
    exercises: dict
    seeds: dict[str, int]
    limits: Limits = field(default_factory=Limits)
    sandboxed: bool = True

    @property
    def first(self) -> int:
        return first_open_cell(self.skeleton.cells)

    @property
    def needs(self) -> Needs:
        return needs(self.lesson, self.skeleton.cells)

    def zygote(self) -> Zygote:
        """Start the process that imports once and forks for each submission."""
        return self.needs.zygote(self.sandboxed)

    def read(self, folder: Path) -> notebook.Submission:
        """What was handed in, merged into the lesson; never raises."""
        return self.understand(*self.collect(folder))

    def collect(self, folder: Path) -> tuple[bytes, str, list[str]]:
        """The bytes that were handed in, why there are none, and what is to be remarked; never raises."""
        try:
            path = notebook.locate(Path(folder), self.lesson)
            remarks = []
            if path.name != f"{self.lesson}.ipynb":
                remarks.append(f"The notebook was not called {self.lesson}.ipynb; it was graded all the same.")
            return notebook.read_bytes(path), "", remarks
        except notebook.Unreadable as problem:
            return b"", str(problem), []
        except OSError as error:
            return b"", f"What was handed in cannot be read ({error.strerror}).", []

    def understand(self, data: bytes, problem: str, remarks: list[str]) -> notebook.Submission:
        """The bytes of a notebook, merged into the lesson; never raises."""
        if problem:
            return notebook.empty(self.skeleton, problem)
        try:
            submission = notebook.merge(self.skeleton, notebook.parse(data))
        except notebook.Unreadable as unreadable:
            return notebook.empty(self.skeleton, str(unreadable))
        except Exception as error:
            return notebook.empty(self.skeleton, f"What was handed in cannot be read ({type(error).__name__}).")
        submission.notes[:0] = remarks
        return submission

    def grade(self, submission: notebook.Submission, zygote) -> run.Result:
        return run.grade(submission, zygote.open, self.exercises, self.seeds, self.limits, self.first)


def load(
    lesson: str,
    source: Path,
    root: Path,
    config: Config,
    seed: int | None = None,
    limits: Limits | None = None,
    sandboxed: bool = True,
) -> Assignment:
    """Gather what grading `lesson` needs.

    source: the instructor's notebook, with solutions. root: the course's folder. config: nbgrader's settings.
    """
    skeleton = release(nbformat.reads(source.read_text(encoding="utf-8"), as_version=4), config)
    steps = [notebook.skeleton_step(cell, i) for i, cell in enumerate(skeleton.cells)]
    exercises = exercises_of(lesson, [step.exercise for step in steps if step.role == "check"])
    return Assignment(lesson, skeleton, exercises, seeds(root, lesson, exercises, seed), limits or Limits(), sandboxed)


def exercises_of(lesson: str, names: list[str]) -> dict:
    """The exercises of a lesson, by name; Problem if one does not exist."""
    if lesson not in lessons.names():
        raise Problem(f"{lesson} is no lesson of this course; there are {', '.join(lessons.names())}")
    module = importlib.import_module(f"autograder.exercises.{lessons.topic(lesson)}")
    known = {value.name: value for value in vars(module).values() if isinstance(value, Exercise)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Problem(f"{lesson} checks {', '.join(unknown)}, which no exercise in {module.__name__} is called")
    return {name: known[name] for name in names}


def release(source: nbformat.NotebookNode, config: Config) -> nbformat.NotebookNode:
    """The notebook as students get it: stubs for solutions, no hidden tests, checksums as in the grade book."""
    resources: dict = {}
    for step in (ClearSolutions, ClearOutput, ComputeChecksums, ClearHiddenTests):
        source, resources = step(config=config).preprocess(source, resources)
    return nbformat.from_dict(json.loads(json.dumps(source)))
