"""From a result to what is kept: the marked notebook, with the reports as outputs, and a summary."""

import hashlib

import nbformat

from autograder.grading.notebook import Submission, harmless_markdown
from autograder.grading.run import Result
from autograder.html import render


def marked_notebook(skeleton: nbformat.NotebookNode, submission: Submission, result: Result) -> nbformat.NotebookNode:
    """The instructor's notebook with the student's answers in it, and the score of each check cell as its output.

    Everything that a student wrote is text: code in code cells, markdown that cannot hold HTML, plain output.
    """
    marked = nbformat.v4.new_notebook(metadata=skeleton.metadata)
    remarks = [submission.problem, *result.notes]
    if any(remarks):
        text = "\n".join(f"- {harmless_markdown(remark)}" for remark in remarks if remark)
        marked.cells.append(nbformat.v4.new_markdown_cell(f"**From the grader**\n\n{text}", id="from-the-grader"))
    for number, step in enumerate(submission.steps):
        marked.cells.append(_cell(skeleton, step, number, result))
    return marked


def _cell(skeleton, step, number: int, result: Result) -> nbformat.NotebookNode:
    own = step.original is not None
    source = step.source
    if step.kind != "code" and (step.role == "question" or not own):
        source = harmless_markdown(source)
        if own and source == skeleton.cells[step.original].source:
            source = skeleton.cells[step.original].source
    digest = hashlib.sha256(f"{number}\n{source}".encode()).hexdigest()[:12]
    identity = skeleton.cells[step.original].get("id", digest) if own else f"added-{digest}"
    metadata = nbformat.from_dict(dict(skeleton.cells[step.original].metadata)) if own else {}
    if step.kind != "code":
        return nbformat.v4.new_markdown_cell(source, metadata=metadata, id=identity)
    cell = nbformat.v4.new_code_cell(source, metadata=metadata, id=identity)
    if number in result.reports:
        cell.outputs = [score_output(result.reports[number])]
    elif result.outputs.get(number):
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=result.outputs[number] + "\n")]
    return cell


def score_output(report) -> nbformat.NotebookNode:
    """What nbgrader reads the points from (text/plain), and what a student reads (text/html)."""
    data = {"text/plain": f"{float(report.score)}", "text/html": render(report)}
    return nbformat.v4.new_output("execute_result", data=data, execution_count=1)


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
