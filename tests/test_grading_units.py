"""Parts of the class grader that need no sandbox."""

from pathlib import Path

import courses
import nbformat
import pytest

from autograder import lessons
from autograder.grading import implementations, notebook

ROOT = courses.ROOT
TOPICS = [name for name in lessons.names() if (ROOT / "tests" / "equivalents" / f"{lessons.topic(name)}.py").exists()]


@pytest.mark.parametrize("lesson", TOPICS)
def test_answers_of_others_become_cells(lesson):
    """Nearly all misconceptions and equivalents can be handed in, and what is handed in is Python."""
    topic = lessons.topic(lesson)
    wrong = implementations.misconceptions(ROOT / "autograder" / "exercises" / f"{topic}.py")
    right = implementations.equivalents(ROOT / "tests" / "equivalents" / f"{topic}.py")
    for name in lessons.catalog()[lesson]:
        labels = [label for label, _ in wrong.get(name, [])]
        known = [each.name for each in lessons.find(name).misconceptions]
        assert set(labels) <= set(known)
        for source in [*(source for _, source in wrong.get(name, [])), *right.get(name, [])]:
            compile(source, name, "exec")
            assert name in source


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>x</script>", "< script>x< /script>"),
        ("[a](javascript:x) [b]: y", "[a] (javascript:x) [b] : y"),
        (r"$\href{x}{y} \\href{x} \frac12 \left(a<b\right)$", r"$href{x}{y} href{x} \frac12 \left(a< b\right)$"),
        ("$a < b$, 1 <2, a<1", "$a < b$, 1 <2, a<1"),
    ],
)
def test_markdown_is_made_harmless(text, shown):
    assert notebook.harmless_markdown(text) == shown


def test_text_is_printable_and_of_limited_length():
    assert notebook.plain_text("a\x1b[31mb\x00\u202ec\td\n") == "a[31mbc\td\n"
    assert len(notebook.plain_text("x" * 10_000)) < 4100


def skeleton():
    def cell(source, grade_id="", **grading):
        made = nbformat.v4.new_code_cell(source)
        if grade_id:
            made.metadata["nbgrader"] = {
                "grade_id": grade_id,
                "locked": True,
                "grade": False,
                "solution": False,
                **grading,
            }
        return made

    return nbformat.v4.new_notebook(
        cells=[
            cell("import numpy", "setup"),
            cell("free = 1"),
            cell("raise NotImplementedError", "f", solution=True, locked=False),
            cell("check(f)", "check_f", grade=True, points=1),
            nbformat.v4.new_code_cell("train()", metadata={"tags": ["skip-grading"]}),
        ]
    )


def merged(*cells: tuple) -> list[tuple]:
    submission = notebook.merge(skeleton(), [notebook.Source("code", source, grade_id=name) for source, name in cells])
    return [(step.role, step.source) for step in submission.steps]


def test_merging_keeps_the_instructors_cells():
    assert merged(("evil", "setup"), ("check = print", "check_f"), ("f = 1", "f")) == [
        ("instructor", "import numpy"),
        ("instructor", "free = 1"),
        ("solution", "f = 1"),
        ("check", "check(f)"),
        ("skipped", "train()"),
    ]
    assert merged() == [(role, source) for role, source in merged(("raise NotImplementedError", "f"))]


def test_added_cells_stay_where_they_are():
    steps = merged(("a", ""), ("f = 1", "f"), ("b", ""), ("check(f)", "check_f"), ("c", ""))
    assert [source for _, source in steps] == [
        "a",
        "import numpy",
        "free = 1",
        "f = 1",
        "b",
        "check(f)",
        "c",
        "train()",
    ]


def test_the_first_real_answer_counts_and_later_ones_run_after_it():
    steps = merged(("raise NotImplementedError", "f"), ("f = 1", "f"), ("f = 2", "f"))
    assert [step for step in steps if step[0] in ("solution", "added")] == [("solution", "f = 1"), ("added", "f = 2")]


def test_of_a_reworked_training_cell_only_definitions_run():
    step = notebook.Step("skipped", "code", "train()")
    assert (
        notebook.reworked("import math\ndef g():\n    return 1\ntrain(epochs=9)\n", step)
        == "import math\ndef g():\n    return 1"
    )
    assert notebook.reworked("train(", step) == ""


def test_links_and_pipes_are_not_read(tmp_path):
    (tmp_path / "x.ipynb").symlink_to("/etc/passwd")
    with pytest.raises(notebook.Unreadable, match="link"):
        notebook.read_bytes(notebook.locate(tmp_path, "x"))
    (tmp_path / "other").symlink_to(tmp_path)
    with pytest.raises(notebook.Unreadable, match="link"):
        notebook.locate(tmp_path / "other", "x")
    with pytest.raises(notebook.Unreadable, match="No notebook"):
        notebook.read_bytes(Path(tmp_path / "nothing.ipynb"))
