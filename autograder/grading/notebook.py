"""Reads whatever a student handed in, and merges it into the instructor's own notebook.

The instructor's notebook is the skeleton. From the student's come only the sources of solution cells, of answers to
questions and of added cells; never a locked cell, a tag, an output or any metadata.

Duplicated solution cells: copies that still are the untouched stub are dropped if another one is not; the first that
is left is the answer, and later ones run after it, as added cells do, so that the last definition before the check
counts, as it does in the student's own kernel.
"""

import ast
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

MAX_FILE_BYTES = 64 * 2**20
MAX_SOURCE_BYTES = 2 * 2**20
MAX_CELLS = 2000
SKIP = "skip-grading"


class Unreadable(Exception):
    """What was handed in is no notebook; the message says why, for the student to read."""


@dataclass
class Source:
    """A cell as it stands in a notebook: no output, and no metadata but what tells which cell it is."""

    kind: str
    source: str
    id: str = ""
    grade_id: str = ""


@dataclass
class Step:
    """One cell of the notebook to be graded. role: instructor, solution, added, check, question, skipped or text."""

    role: str
    kind: str
    source: str
    original: int | None = None  # the cell's index in the skeleton
    exercise: str = ""  # the graded name that a solution cell defines, or that a check is about


@dataclass
class Submission:
    """A submission, ready to be run. problem: why nothing of it could be read, if so. notes: what was mended."""

    steps: list[Step]
    problem: str = ""
    notes: list[str] = field(default_factory=list)


def locate(folder: Path, lesson: str) -> Path:
    """The notebook in what was handed in: under its own name, or else the only one, or the largest of several."""
    if folder.is_symlink():
        raise Unreadable("What was handed in is a link; a folder with a notebook is needed.")
    path = folder / f"{lesson}.ipynb"
    if path.is_symlink() or path.exists():
        return path
    others = [other for other in sorted(folder.glob("*.ipynb")) if other.is_file() and not other.is_symlink()]
    return max(others, key=lambda other: other.stat().st_size, default=path)


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file, without following a link at its end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Unreadable("No notebook of this lesson was handed in.") from None
    except OSError as error:
        what = "is a link" if os.path.islink(path) else f"cannot be opened ({error.strerror})"
        raise Unreadable(f"What was handed in {what}; a notebook file is needed.") from None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("What was handed in is not a file; a notebook file is needed.")
        if status.st_size > MAX_FILE_BYTES:
            raise Unreadable(
                f"The notebook has {status.st_size // 2**20} MB, and {MAX_FILE_BYTES // 2**20} are allowed. "
                "Clear its outputs and hand it in again."
            )
        return file.read(MAX_FILE_BYTES + 1)


def parse(data: bytes) -> list[Source]:
    try:
        notebook = json.loads(_text(data))
    except (ValueError, RecursionError, MemoryError):
        raise Unreadable("What was handed in is not a notebook: it cannot be read as JSON.") from None
    if not isinstance(notebook, dict):
        raise Unreadable("What was handed in is not a notebook.")
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        sheets = notebook.get("worksheets")
        sheets = sheets if isinstance(sheets, list) else []
        cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells") or []]
        if not sheets:
            raise Unreadable("What was handed in is not a notebook: it has no cells.")
    if len(cells) > MAX_CELLS:
        raise Unreadable(f"The notebook has {len(cells)} cells, and {MAX_CELLS} are allowed.")
    found = [cell for raw in cells if (cell := _cell(raw)) is not None]
    if sum(len(cell.source) for cell in found) > MAX_SOURCE_BYTES:
        raise Unreadable(f"The notebook's cells have more than {MAX_SOURCE_BYTES} characters.")
    return found


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _cell(raw) -> Source | None:
    if not isinstance(raw, dict):
        return None
    kind = raw.get("cell_type")
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if kind not in ("code", "markdown", "raw", "heading") or not isinstance(source, str):
        return None
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    source = source.encode(errors="replace").decode()  # a lone surrogate can be neither run nor stored
    metadata = raw.get("metadata")
    grading = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = grading.get("grade_id") if isinstance(grading, dict) else None
    return Source(
        {"heading": "markdown"}.get(kind, kind),
        source,
        raw["id"] if isinstance(raw.get("id"), str) else "",
        grade_id if isinstance(grade_id, str) else "",
    )


# ---- merging ---------------------------------------------------------------------------------------------------


def skeleton_step(cell: dict, index: int) -> Step:
    """What a cell of the instructor's notebook is there for."""
    kind, metadata, source = cell["cell_type"], cell["metadata"], "".join(cell["source"])
    grading = metadata.get("nbgrader", {})
    name = grading.get("grade_id", "")
    if kind == "markdown":
        role = "question" if grading.get("solution") and not grading.get("locked") else "text"
    elif grading.get("grade") and not grading.get("solution"):
        return Step("check", "code", source, index, name.removeprefix("check_"))
    elif grading.get("solution"):
        return Step("solution", kind, source, index, name)
    elif kind == "code":
        role = "skipped" if SKIP in metadata.get("tags", []) else "instructor"
    else:
        role = "text"
    return Step(role, kind, source, index)


def merge(skeleton, submitted: list[Source]) -> Submission:
    """The student's answers and added cells in the instructor's notebook (nbformat 4, with the stubs in it)."""
    steps = [skeleton_step(cell, index) for index, cell in enumerate(skeleton.cells)]
    by_name = {
        cell.metadata.nbgrader["grade_id"]: i
        for i, cell in enumerate(skeleton.cells)
        if cell.metadata.get("nbgrader", {}).get("grade_id")
    }
    by_id = {cell.get("id"): i for i, cell in enumerate(skeleton.cells) if cell.get("id")}
    by_source = {(cell.cell_type, cell.source.strip()): i for i, cell in enumerate(skeleton.cells)}
    places = [_place(cell, by_name, by_id, by_source) for cell in submitted]
    open_cells = {i for i, step in enumerate(steps) if step.role in ("solution", "question")}
    answers = {i: [n for n, place in enumerate(places) if place == i] for i in open_cells}
    added: dict[int, list[Step]] = {}
    notes = []
    chosen = {}
    for i, numbers in answers.items():
        name = skeleton.cells[i].metadata.nbgrader["grade_id"]
        worked = [n for n in numbers if submitted[n].source.strip() != steps[i].source.strip()]
        if not numbers:
            notes.append(f"The cell of `{name}` is missing from what was handed in.")
        if len(numbers) > 1:
            notes.append(
                f"There are {len(numbers)} cells of `{name}`; the first answer counts, later ones run after it."
            )
        dropped = {n for n in numbers if n not in worked} if worked else set(numbers[1:])
        numbers = [n for n in numbers if n not in dropped]
        if numbers:
            chosen[numbers[0]] = i
        for n in dropped:
            places[n] = -2
    anchor = -1
    for number, (cell, place) in enumerate(zip(submitted, places, strict=True)):
        if number in chosen:
            anchor = chosen[number]
            steps[anchor].source = cell.source
        elif place == -2:
            continue
        elif place is not None and place not in open_cells:
            anchor = place
            locked = skeleton.cells[place].metadata.get("nbgrader", {}).get("locked")
            own = "" if locked or cell.kind != "code" else reworked(cell.source, steps[place])
            if own:
                added.setdefault(anchor, []).append(Step("added", "code", own))
        else:
            kind = "code" if place in open_cells and steps[place].kind == "code" else cell.kind
            if cell.source.strip():
                role = "added" if kind == "code" else "text"
                added.setdefault(anchor, []).append(Step(role, kind, cell.source))
    merged = list(added.get(-1, []))
    for index, step in enumerate(steps):
        merged += [step, *added.get(index, [])]
    return Submission(merged, notes=notes)


def reworked(source: str, step: Step) -> str:
    """What a student wrote of their own into a cell of the lesson that is free to change.

    Of a cell that is not run for grades (it trains or draws) that is the functions, classes and imports.
    """
    if source.strip() == step.source.strip() or step.role not in ("instructor", "skipped"):
        return ""
    if step.role == "instructor":
        return source
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    kept = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    parts = [ast.get_source_segment(source, node) for node in body if isinstance(node, kept)]
    return "\n".join(part for part in parts if part and part not in step.source)


def _place(cell: Source, by_name: dict, by_id: dict, by_source: dict) -> int | None:
    """The index of the skeleton's cell that this is a copy of, or None for an added cell."""
    if cell.grade_id:
        return by_name.get(cell.grade_id)
    if cell.id in by_id:
        return by_id[cell.id]
    return by_source.get((cell.kind, cell.source.strip()))


def empty(skeleton, problem: str) -> Submission:
    """Where nothing could be read: the untouched skeleton, and why."""
    steps = [skeleton_step(cell, index) for index, cell in enumerate(skeleton.cells)]
    return Submission(steps, problem=problem)


# ---- text that is shown ----------------------------------------------------------------------------------------


def harmless_markdown(text: str) -> str:
    """Markdown in which nothing is HTML, a link, an image or a TeX command that makes one."""
    text = re.sub(r"<(?=[A-Za-z/!?])", "< ", text)  # in HTML, "<" before a space begins no tag
    text = re.sub(r"\](?=[(:])", "] ", text)
    return harmless_tex(text)


def harmless_tex(text: str) -> str:
    """Text without the TeX commands that MathJax turns into links, styles or extensions."""
    return re.sub(
        r"\\+(href|require|style|class|cssId|data|unicode|html\w*|url|def|newcommand|let)(?![a-z])", r"\1", text
    )


def plain_text(text: str, length: int = 4000) -> str:
    """Printable text of limited length, without control characters."""
    text = harmless_tex("".join(char for char in text if char in "\n\t" or char.isprintable()))
    return text if len(text) <= length else text[:length] + " [...]"
