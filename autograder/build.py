"""`attn build`: solutions/03_masking.py -> solutions/03_masking/03_masking.ipynb -> the same in course/.

The first step is jupytext's, the second nbgrader's `generate_assignment`, which also fills the grade book.
The same sources give the same bytes. A notebook that somebody has worked in is kept, unless --force is given.
"""

import argparse
import hashlib
import importlib
import io
import logging
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from traitlets import Bool

from autograder import lessons
from autograder.cli import ROOT, Problem
from autograder.contents import with_lessons
from autograder.exercise import Exercise
from autograder.sources import complaints

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 03_masking; all if none is named")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if course/ is out of date")
    parser.add_argument("--force", action="store_true", help="replace notebooks in course/ that hold somebody's work")


def run(args: argparse.Namespace) -> int:
    chosen = choose(args.lessons)
    return check(chosen) if args.check else build(chosen, args.force)


def choose(named: list[str]) -> list[str]:
    """The named lessons, or all of them."""
    try:
        for name in named:
            lessons.path(name)
    except ValueError as error:
        raise Problem(f"{error}\nThe lessons are {', '.join(lessons.names())}.") from None
    return sorted(set(named)) or lessons.names()


def build(chosen: list[str], force: bool = False) -> int:
    """Build the lessons; 1 if a notebook with somebody's work was kept although its lesson has changed."""
    behind = []
    for name in chosen:
        write(notebook_path(ROOT / "solutions", name), source_notebook(name))
    with released(chosen, ROOT / "solutions", ROOT / "gradebook.db") as made:
        for name in chosen:
            fresh = notebook_path(made, name).read_text("utf-8")
            state = put(notebook_path(ROOT / "course", name), fresh, force)
            print(f"{name}: {state}")
            if state == BEHIND:
                behind.append(name)
    readme = ROOT / "README.md"
    if readme.exists():
        write(readme, with_lessons(readme.read_text("utf-8")))
    if behind:
        print(f"Move your notebook away, or replace it with `attn build --force {' '.join(behind)}`.")
    return int(bool(behind))


def check(chosen: list[str]) -> int:
    """Say which notebooks in course/ differ from what a build gives, byte for byte; 1 if any does."""
    complaint = {}
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "solutions"
        for name in chosen:
            write(notebook_path(source, name), source_notebook(name))
        with released(chosen, source, Path(scratch) / "gradebook.db") as made:
            for name in chosen:
                there = notebook_path(ROOT / "course", name)
                if not there.exists() or there.read_bytes() != notebook_path(made, name).read_bytes():
                    complaint[name] = f"out of date; run `attn build {name}`"
    for path in (ROOT / "course").glob("*/*.ipynb"):
        if path.stem not in lessons.names():
            complaint[path.stem] = f"there is no solutions/{path.stem}.py; remove {path.relative_to(ROOT)}"
    readme = ROOT / "README.md"
    if readme.exists() and readme.read_text("utf-8") != with_lessons(readme.read_text("utf-8")):
        complaint["README.md"] = "its list of lessons is out of date; run `attn build`"
    for name, sentence in sorted(complaint.items()):
        print(f"{name}: {sentence}")
    if not complaint:
        print(f"{len(chosen)} lessons up to date")
    return int(bool(complaint))


def notebook_path(folder: Path, name: str) -> Path:
    return folder / name / f"{name}.ipynb"


# ---- from the percent file to nbgrader's source notebook


def source_notebook(name: str) -> str:
    """The lesson as a notebook with all solutions, as text."""
    import jupytext

    path = lessons.path(name)
    wrong = complaints(lessons.cells(path), exercise_points(name))
    if wrong:
        raise Problem("\n  ".join([f"solutions/{path.name} cannot be built:", *wrong]))
    notebook = jupytext.read(path, fmt="py:percent")
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    name_cells(notebook)
    for cell in notebook.cells:
        for note in ("lines_to_next_cell", "lines_to_end_of_cell_marker"):
            cell.metadata.pop(note, None)
    return nbformat.writes(notebook) + "\n"


def exercise_points(name: str) -> dict[str, int]:
    """{graded name: points} of a lesson, from its exercises."""
    module = f"autograder.exercises.{lessons.topic(name)}"
    try:
        found = vars(importlib.import_module(module)).values()
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise Problem(f"{name} has no exercises: autograder/exercises/{lessons.topic(name)}.py is missing") from None
    return {each.name: each.points for each in found if isinstance(each, Exercise) and each.lesson == name}


def name_cells(notebook: NotebookNode) -> None:
    """Give every cell an id that depends on what it says: a build is repeatable and its diffs are small."""
    taken = set()
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        base = re.sub(r"[^\w-]", "-", name) if name else hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        copies = (base[:60] if n == 0 else f"{base[:60]}-{n}" for n in range(len(taken) + 1))
        cell.id = next(name for name in copies if name not in taken)
        taken.add(cell.id)


# ---- from the source notebook to the students'


@contextmanager
def released(chosen: list[str], source: Path, gradebook: Path):
    """A folder with the students' notebooks that nbgrader makes of the sources; fills the grade book."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import PyFileConfigLoader

    with tempfile.TemporaryDirectory() as folder:
        config = PyFileConfigLoader(str(ROOT / "nbgrader_config.py")).load_config()
        config.CourseDirectory.source_directory = str(source)
        config.CourseDirectory.release_directory = folder
        config.CourseDirectory.db_url = f"sqlite:///{gradebook}"
        for name in chosen:
            config.CourseDirectory.assignment_id = name
            course = CourseDirectory(config=config)
            converter = GenerateAssignment(coursedir=course, config=config)
            with quiet(converter) as log:
                try:
                    converter.start()
                except (NbGraderException, SystemExit) as error:
                    raise Problem(f"nbgrader could not make {name}: {reason(log) or error}") from None
        yield Path(folder)


@contextmanager
def quiet(converter):
    """Keep nbgrader's log, instead of showing it."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    before = converter.log.handlers, converter.log.propagate
    converter.log.handlers, converter.log.propagate = [handler], False
    try:
        yield log
    finally:
        converter.log.handlers, converter.log.propagate = before


def reason(log: io.StringIO) -> str:
    """The error that nbgrader's log ends with."""
    errors = re.findall(r"^[\w.]*(?:Error|Exception): (.*)$", log.getvalue(), re.MULTILINE)
    return errors[-1] if errors else ""


class Seal(Preprocessor):
    """nbgrader's last step for us: note in the notebook's metadata which cells it was built with."""

    enabled = Bool(True).tag(config=True)

    def preprocess(self, nb, resources):
        nb.metadata["attention"] = {"built": digest(nb)}
        return nb, resources


def digest(notebook: NotebookNode) -> str:
    """Of the cells' kinds and sources; outputs and ids do not count."""
    told = "\0".join(f"{cell.cell_type}\n{cell.source}" for cell in notebook.cells)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


# ---- writing

BUILT = "built"
SAME = "up to date"
KEPT = "kept, with the answers in it"
BEHIND = "kept, with the answers in it; the lesson has changed since"


def put(target: Path, fresh: str, force: bool) -> str:
    """Write the students' notebook, unless somebody has worked in the one there; says what was done."""
    if target.exists():
        there = target.read_text("utf-8")
        if there == fresh:
            return SAME
        if not force and (seal := worked_in(there)) is not None:
            return KEPT if seal == nbformat.reads(fresh, 4).metadata.attention.built else BEHIND
    write(target, fresh)
    return BUILT


def worked_in(text: str) -> str | None:
    """None if the notebook is as it was built; otherwise the digest of what was built ("" if unknown)."""
    try:
        notebook = nbformat.reads(text, 4)
    except Exception:
        return ""
    seal = notebook.metadata.get("attention", {}).get("built", "")
    return None if seal == digest(notebook) else seal


def write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
