"""Each lesson runs top to bottom with its solutions; a student's notebook fails only where something is unwritten.

Lessons that train do so briefly here (ATTN_QUICK=1); `make lessons` trains in full and watches the time.
"""

import ast
import os
import time

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from autograder import build, lessons

FULL = os.environ.setdefault("ATTN_QUICK", "1") == "0"
SECONDS = {"numpy": 60, "training": 300}
every_lesson = pytest.mark.parametrize("lesson", lessons.names())


def run(notebook, folder, *, go_on: bool):
    """Run a notebook on a fresh kernel, as JupyterLab would; `go_on` after a cell that fails."""
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=900, kernel_name="python3", allow_errors=go_on, resources=where).execute()
    return notebook


def outputs(notebook, kind: str) -> list:
    return [each for cell in notebook.cells for each in cell.get("outputs", []) if each.output_type == kind]


@every_lesson
@pytest.mark.timeout(1200)
def test_solution_runs_top_to_bottom(lesson, tmp_path):
    notebook = nbformat.reads(build.source_notebook(lesson), 4)
    start = time.monotonic()
    try:
        run(notebook, tmp_path, go_on=False)
    except CellExecutionError as error:
        pytest.fail(f"{lesson}: {error}")
    seconds = time.monotonic() - start
    kind = "training" if "import torch" in lessons.library_source(lesson) else "numpy"
    assert not FULL or seconds < SECONDS[kind], f"{lesson} took {seconds:.0f} s"
    assert not [each.text for each in outputs(notebook, "stream") if "Warning" in each.text]
    reports = [each for each in outputs(notebook, "display_data") if "attn-report" in each.data.get("text/html", "")]
    passed = [each for each in reports if "attn-report passed" in each.data["text/html"]]
    assert len(passed) >= len(lessons.catalog()[lesson])


@every_lesson
@pytest.mark.timeout(1200)
def test_student_notebook_fails_only_where_it_should(lesson, tmp_path):
    path = build.notebook_path(ROOT / "course", lesson)
    notebook = run(nbformat.read(path, 4), tmp_path, go_on=True)
    lacking = set(lessons.catalog()[lesson])
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        failed = {each.ename for each in cell.outputs if each.output_type == "error"}
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution"):
            assert not failed, f"a stub fails before it is used:\n{cell.source}"
        elif about.get("grade"):
            assert failed, f"a check passes on an empty answer:\n{cell.source}"
            assert failed <= {"NotImplementedError", "CheckFailed"}, cell.source
        elif failed:
            used, made = names(ast.parse(cell.source))
            assert used & lacking, f"this cell fails although all it needs is there:\n{cell.source}"
            assert failed <= {"NotImplementedError", "CheckFailed", "NameError", "KeyError"}, cell.source
            lacking |= made
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and names(node)[0] & lacking:
                lacking.add(node.name)


def names(tree: ast.AST) -> tuple[set[str], set[str]]:
    """The names that some code reads and those that it makes."""
    nodes = list(ast.walk(tree))
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    made = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return read, made | {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
