"""attn build: repeatable, honest about what is out of date, and careful with students' work."""

import json
import re
import subprocess

import nbformat
import pytest
from conftest import make_house
from nbgrader.api import Gradebook

from autograder import build, cli, contents, lessons

LESSON = "00_welcome"


@pytest.fixture
def house(tmp_path, monkeypatch):
    lessons.catalog.cache_clear()
    yield make_house(tmp_path, monkeypatch, LESSON)
    lessons.catalog.cache_clear()


def edit(house, pattern: str, replacement: str, count: int = 1) -> None:
    """Change the lesson's source; a pattern that is not there is a mistake in the test."""
    path = house / "solutions" / f"{LESSON}.py"
    text, changes = re.subn(pattern, replacement, path.read_text(), count=count)
    assert changes
    path.write_text(text)


def student_notebook(house):
    return build.notebook_path(house / "course", LESSON)


def attn(capsys, *arguments) -> tuple[int, str]:
    status = cli.main(["build", *arguments])
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def test_build_gives_the_same_bytes_each_time(house, capsys):
    assert attn(capsys) == (0, f"{LESSON}: built\n")
    first = student_notebook(house).read_bytes()
    assert attn(capsys) == (0, f"{LESSON}: up to date\n")
    student_notebook(house).unlink()
    attn(capsys)
    assert student_notebook(house).read_bytes() == first


def test_check_says_what_is_out_of_date_and_writes_nothing(house, capsys):
    status, told = attn(capsys, "--check")
    assert status == 1
    assert told == f"{LESSON}: out of date; run `attn build {LESSON}`\n"
    assert not (house / "course").exists()
    assert not (house / "gradebook.db").exists()
    attn(capsys)
    assert attn(capsys, "--check") == (0, "1 lessons up to date\n")
    edit(house, "Welcome", "Welcome back")
    assert attn(capsys, LESSON, "--check")[0] == 1


def test_check_finds_a_notebook_without_a_lesson(house, capsys):
    attn(capsys)
    stray = house / "course" / "99_gone" / "99_gone.ipynb"
    stray.parent.mkdir()
    stray.write_text("{}")
    status, told = attn(capsys, "--check")
    assert status == 1
    assert "there is no solutions/99_gone.py" in told


def test_the_readme_lists_the_lessons(house, capsys):
    readme = house / "README.md"
    readme.write_text(f"# A course\n\n{contents.BEGIN}\nold\n{contents.END}\n\nThe end.\n")
    assert "README.md: its list of lessons is out of date" in attn(capsys, "--check")[1]
    attn(capsys)
    text = readme.read_text()
    assert text.startswith("# A course\n")
    assert text.endswith("\n\nThe end.\n")
    assert "[00_welcome](course/00_welcome/00_welcome.ipynb) | Welcome: how a lesson works | 2 | 7 |" in text
    assert "old" not in text
    assert attn(capsys, "--check")[0] == 0


def test_students_get_stubs_and_no_solutions(house, capsys):
    attn(capsys)
    released = nbformat.read(student_notebook(house), 4)
    text = student_notebook(house).read_text()
    assert "BEGIN SOLUTION" not in text
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in released.cells if "nbgrader" in cell.metadata}
    for name in lessons.catalog()[LESSON]:
        assert by_id[name].source.rstrip().endswith("\n    raise NotImplementedError")
        assert by_id[f"check_{name}"].metadata.editable is False
    assert "Write your answer here" in by_id["question_welcome"].source
    assert all("outputs" not in cell or not cell.outputs for cell in released.cells)


def test_cell_ids_are_valid_and_unique(house):
    notebook = nbformat.reads(build.source_notebook(LESSON), 4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert notebook.metadata.kernelspec.name == "python3"


def test_grade_book_has_the_points_of_each_exercise(house, capsys):
    attn(capsys)
    with Gradebook(f"sqlite:///{house / 'gradebook.db'}") as book:
        cells = book.find_notebook(LESSON, LESSON).grade_cells
        points = {cell.name: cell.max_score for cell in cells}
    wanted = {f"check_{name}": points for name, points in lessons.catalog()[LESSON].items()}
    assert points == wanted | {"question_welcome": 2}


def test_a_notebook_with_answers_is_kept(house, capsys):
    attn(capsys)
    path = student_notebook(house)
    work = nbformat.read(path, 4)
    stub = next(cell for cell in work.cells if "NotImplementedError" in cell.source)
    stub.source = stub.source.replace("raise NotImplementedError", "return 1")
    nbformat.write(work, path)
    mine = path.read_bytes()

    assert attn(capsys) == (0, f"{LESSON}: {build.KEPT}\n")
    edit(house, "Welcome", "Welcome back")
    status, told = attn(capsys)
    assert status == 1
    assert build.BEHIND in told
    assert f"attn build --force {LESSON}" in told
    assert path.read_bytes() == mine

    assert attn(capsys, "--force") == (0, f"{LESSON}: built\n")
    assert "return 1" not in path.read_text()


def test_a_notebook_that_was_only_run_is_replaced(house, capsys):
    attn(capsys)
    path = student_notebook(house)
    fresh = path.read_bytes()
    run = json.loads(fresh)
    run["cells"][1]["execution_count"] = 1
    path.write_text(json.dumps(run))
    assert attn(capsys) == (0, f"{LESSON}: built\n")
    assert path.read_bytes() == fresh


def test_formgrader_and_nbgrader_build_the_same(house, capsys):
    attn(capsys)
    ours = student_notebook(house).read_bytes()
    student_notebook(house).unlink()
    command = ["nbgrader", "generate_assignment", LESSON, "--force"]
    subprocess.run(command, cwd=house, check=True, capture_output=True, timeout=120)
    assert student_notebook(house).read_bytes() == ours


def test_a_lesson_with_submissions_keeps_its_cells(house, capsys):
    attn(capsys)
    with Gradebook(f"sqlite:///{house / 'gradebook.db'}") as book:
        book.add_student("ada")
        book.add_submission(LESSON, "ada")
        assert book.find_notebook(LESSON, LESSON).submissions
    edit(house, '"grade_id": "setup"', '"grade_id": "imports"')
    status, told = attn(capsys)
    assert status == 1
    assert "because there are submissions associated with it" in told
    assert "Traceback" not in told


def test_unknown_lesson(house, capsys):
    status, told = attn(capsys, "00_welcom")
    assert status == 1
    assert told == f"attn build: there is no lesson '00_welcom'; did you mean '{LESSON}'?\nThe lessons are {LESSON}.\n"


CHECK = '"grade": true, "grade_id": "check_dot_product", "locked": true, "points": 3'
MISTAKES = {
    "a grade_id twice": ('"grade_id": "setup"', '"grade_id": "question_welcome"', "this grade_id was used before"),
    "other points": (CHECK, CHECK[:-1] + "7", "it gives 7 points; the exercise's aspects add up to 3"),
    "no points": (', "points": 3', "", "its nbgrader metadata lacks points"),
    "points for nothing": (', "points": 3', ', "points": 0', "points are 0; a number above 0 is expected"),
    "an unknown exercise": ("check_dot_product", "check_dot_produkt", "there is no exercise dot_produkt"),
    "a name that is not defined": ("def dot_product", "def dot", "it does not define dot_product"),
    "no check cell": (CHECK, '"grade": false, "grade_id": "other", "locked": true', "dot_product has no check cell"),
    "no call of check": (r'check\("dot_product", dot_product\)', "pass", 'it does not call check("dot_product"'),
    "no solution region": ("    ### BEGIN SOLUTION\n|    ### END SOLUTION\n", "", "without ### BEGIN SOLUTION"),
    "no end": ("    ### END SOLUTION\n", "", "each ### BEGIN SOLUTION needs its ### END SOLUTION"),
    "a solution outside": (
        r"# %%\nfood",
        "# %%\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\nfood",
        "the solution would be released",
    ),
    "no setup": (r'tags=\["setup"\] ', "", "there is no setup cell"),
    "an open check": ('"check_dot_product", "locked": true', '"check_dot_product", "locked": false', "must be locked"),
    "a field too many": ('"task": false}', '"task": false, "cell_type": "code"}', "has cell_type, which does not"),
    "an old schema": ('"schema_version": 3', '"schema_version": 1', "schema_version is 1; 3 is expected"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_a_lesson_are_named(house, capsys, mistake):
    pattern, replacement, sentence = MISTAKES[mistake]
    edit(house, pattern, replacement.replace("\\", "\\\\"), count=2 if mistake == "no solution region" else 1)
    status, told = attn(capsys)
    assert status == 1
    assert told.startswith(f"attn build: solutions/{LESSON}.py cannot be built:\n  ")
    assert sentence in told
    assert "Traceback" not in told
    assert not (house / "course").exists()


def test_course_is_what_a_build_gives(capsys):
    status, told = attn(capsys, "--check")
    assert status == 0, told


def test_help_lists_the_commands_and_is_fast():
    told = subprocess.run(["attn", "--help"], check=True, capture_output=True, text=True, timeout=10).stdout
    assert all(name in told for name in cli.COMMANDS)
    source = (
        "import sys, autograder.cli; sys.exit(any(name in sys.modules for name in ('torch', 'nbgrader', 'nbformat')))"
    )
    subprocess.run(["python", "-c", source], check=True, timeout=10)
