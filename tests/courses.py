"""Courses to grade: a folder with nbgrader's settings, one lesson built into it, and people who hand things in."""

import copy
import json
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def make_course(root: Path, *lessons: str) -> Path:
    """A course of some lessons, as `attn build` leaves it, and its grade book."""
    from autograder import build

    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    for lesson in lessons:
        build.write(root / "solutions" / lesson / f"{lesson}.ipynb", build.source_notebook(lesson))
    with build.released(list(lessons), root / "solutions", root / "gradebook.db") as made:
        shutil.copytree(made, root / "course")
    (root / "submitted").mkdir()
    return root


def released(root: Path, lesson: str) -> dict:
    """The students' notebook, as JSON."""
    notebook = json.loads((root / "course" / lesson / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    return notebook


def name_of(cell: dict) -> str:
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def answered(notebook: dict, answers: dict[str, str]) -> dict:
    """A copy with these sources in solution cells, by graded name."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook["cells"]:
        if name_of(cell) in answers:
            cell["source"] = answers[name_of(cell)]
    return notebook


def solved(root: Path, lesson: str) -> dict:
    """The students' notebook with the lesson's solutions and an answer to the question."""
    from autograder import lessons

    answers = {name: lessons.solution(name) for name in lessons.catalog()[lesson]}
    question = f"question_{lessons.topic(lesson)}"
    return answered(released(root, lesson), {**answers, question: "Because the weights add up to one."})


def hand_in(root: Path, student: str, lesson: str, notebook: dict) -> Path:
    """Put a notebook where nbgrader collects a student's."""
    path = root / "submitted" / student / lesson / f"{lesson}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")
    return path


def grade_book(root: Path, lesson: str) -> dict[str, tuple]:
    """All that nbgrader's grade book says about each student's work on a lesson."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root}/gradebook.db") as book:
        return {
            submission.student.id: (
                str(submission.timestamp),
                notebook.score,
                notebook.max_score,
                notebook.late_submission_penalty,
                sorted(
                    (g.name, g.auto_score, g.manual_score, g.needs_manual_grade, g.max_score) for g in notebook.grades
                ),
                sorted((c.name, c.auto_comment or "") for c in notebook.comments),
            )
            for submission in book.assignment_submissions(lesson)
            for notebook in submission.notebooks
        }
