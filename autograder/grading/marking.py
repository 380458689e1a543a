"""From a result to what is kept: the marked notebook, with the reports as outputs, and a summary."""

import nbformat

from autograder.grading.notebook import Submission, harmless_markdown
from autograder.grading.run import Result
from autograder.html import render

FROM_THE_GRADER = "from-the-grader"


def marked_notebook(skeleton: nbformat.NotebookNode, submission: Submission, result: Result) -> dict:
    """As JSON, the instructor's notebook with the student's answers in it; a check cell's output is its score.

    Everything that a student wrote is text: code in code cells, markdown that cannot hold HTML, plain output.
    """
    cells = []
    remarks = [submission.problem, *result.notes]
    if any(remarks):
        text = "\n".join(f"- {harmless_markdown(remark)}" for remark in remarks if remark)
        cells.append(_markdown(f"**From the grader**\n\n{text}", {}, FROM_THE_GRADER))
    cells += [_cell(skeleton, step, number, result) for number, step in enumerate(submission.steps)]
    return {"cells": cells, "metadata": skeleton.metadata, "nbformat": 4, "nbformat_minor": 5}


def _cell(skeleton, step, number: int, result: Result) -> dict:
    own = step.original is not None
    original = skeleton.cells[step.original] if own else None
    source = step.source
    if step.kind != "code" and not (own and source == original.source):
        source = harmless_markdown(source)
    identity = original.id if own else f"added-{number}"
    metadata = original.metadata if own else {}
    if step.kind != "code":
        return _markdown(source, metadata, identity)
    outputs = []
    if number in result.reports:
        outputs = [score_output(result.reports[number])]
    elif result.outputs.get(number):
        outputs = [{"output_type": "stream", "name": "stdout", "text": result.outputs[number] + "\n"}]
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": identity,
        "metadata": metadata,
        "outputs": outputs,
        "source": source,
    }


def _markdown(source: str, metadata, identity: str) -> dict:
    return {"cell_type": "markdown", "id": identity, "metadata": metadata, "source": source}


def score_output(report) -> dict:
    """What nbgrader reads the points from (text/plain), and what a student reads (text/html)."""
    data = {"text/plain": f"{float(report.score)}", "text/html": render(report)}
    return {"output_type": "execute_result", "data": data, "execution_count": None, "metadata": {}}


def summary(student: str, submission: Submission, result: Result) -> dict:
    """Plain data: the scores and what failed."""
    reports = [result.reports[i] for i in sorted(result.reports)]
    return {
        "student": student,
        "score": float(result.score),
        "max_score": float(result.max_score),
        "problem": submission.problem,
        "notes": result.notes,
        "exercises": [
            {
                "name": report.exercise,
                "score": float(report.score),
                "max_score": float(report.max_score),
                "failed": [aspect.name for aspect in report.aspects if not aspect.passed],
                "misconception": report.misconception,
                "message": report.message,
            }
            for report in reports
        ],
    }
