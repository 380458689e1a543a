"""The house is as README.md and CONTRIBUTING.md describe it."""

import re
import subprocess

import nbformat
import pytest
from conftest import ROOT

from autograder import build, lessons

README = (ROOT / "README.md").read_text()
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
]
# What attacks and this file say about machines' paths is meant.
MEANT = {ROOT / "tests" / "test_house.py", *(ROOT / "tests" / "attacks").glob("*.py")}
PROSE = [path for path in TRACKED if path.suffix in {".md", ".py", ".toml", ".yml", ".txt", ".ipynb"}]
MADE = ("submitted", "autograded", "feedback", "gradebook.db", "exchange", ".venv")


@pytest.mark.parametrize(
    "name",
    [
        *("course", "solutions", "autograder", "datasets", "tests", "environment.yml", "pyproject.toml"),
        *("constraints.txt", "Makefile", "nbgrader_config.py", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
        *("LICENSE", ".ci/run"),
    ],
)
def test_it_is_there(name):
    assert (ROOT / name).exists()


def test_ci_script_can_be_run():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("lesson", lessons.names())
def test_a_lesson_is_two_files_and_the_readme_links_it(lesson):
    assert (ROOT / "autograder" / "exercises" / f"{lessons.topic(lesson)}.py").exists()
    assert f"course/{lesson}/{lesson}.ipynb" in README


def test_the_readme_lists_no_lesson_that_is_not_there():
    linked = set(re.findall(r"course/(\d\d_\w+)/", README))
    assert linked == set(lessons.names())


def test_links_lead_somewhere():
    for page in (path for path in TRACKED if path.suffix == ".md" and path.exists()):
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_pictures_say_what_they_show():
    assert all(text.strip() for text in re.findall(r"!\[([^\]]*)\]", README))
    assert "](docs/check-report.png)" in README


def test_what_the_readme_names_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([\w-]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for package in re.findall(r"^sudo apt-get install (.*)$", README, re.MULTILINE)[0].split():
        assert package in (ROOT / ".ci" / "run").read_text(), package


def test_cleaning_leaves_work_and_grades_alone():
    recipe = re.search(r"^clean:\n\t(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    kept = ("course", "submitted", "autograded", "feedback", "gradebook", ".attn")
    assert not [name for name in kept if name in recipe]


def test_license_covers_code_and_prose():
    text = (ROOT / "LICENSE").read_text()
    assert "MIT License" in text
    assert "Creative Commons Attribution 4.0 International Public License" in text
    assert "Section 8 -- Interpretation." in text
    assert "Attention from Scratch contributors" in text


@pytest.mark.skipif(not TRACKED, reason="this is no git checkout")
def test_nothing_that_was_made_is_committed():
    names = [str(path.relative_to(ROOT)) for path in TRACKED]
    assert not [name for name in names if name.split("/")[0] in MADE or re.match(r"solutions/.*\.ipynb", name)]
    assert not [path for path in TRACKED if path.exists() and path.stat().st_size > 5_000_000]


@pytest.mark.parametrize("path", sorted(set(PROSE) - MEANT), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_of_one_machine(path):
    if not path.exists():
        pytest.skip("deleted")
    text = path.read_text("utf-8")
    machine = r"(?<![\w.])/(?:work|root|home|farm)/|C:\\Users|pypi\.org/simple|files\.pythonhosted|find-links"
    assert not re.findall(machine, text)


@pytest.mark.parametrize("lesson", lessons.names())
def test_lesson_has_the_form_of_a_lesson(lesson):
    notebook = nbformat.read(build.notebook_path(ROOT / "course", lesson), 4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert prose.startswith(f"# {lesson[:2]} ")
    for exercise in lessons.catalog()[lesson]:
        assert exercise in prose or exercise in "".join(cell.source for cell in notebook.cells)
    assert re.search(r"goes wrong", prose, re.IGNORECASE)
    assert prose.count("| difficulty |") >= len(lessons.catalog()[lesson])
    questions = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("points") == 2]
    assert [cell for cell in questions if cell.cell_type == "markdown"]
