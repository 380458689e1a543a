"""What a learner and an instructor see in JupyterLab, in a headless Chromium: typed, clicked and read from the page."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from conftest import make_house, require

LESSON = "00_welcome"
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,1000"),
)
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A course of one lesson, released, with one graded submission."""
    from nbgrader.api import Gradebook

    from autograder import build

    with pytest.MonkeyPatch.context() as patch:
        folder = make_house(tmp_path_factory.mktemp("house"), patch, LESSON)
        assert build.build([LESSON]) == 0
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        book.add_student("ada", first_name="Ada", last_name="Lovelace")
        submission = book.add_submission(LESSON, "ada")
        for grade in submission.notebooks[0].grades:
            grade.auto_score = None if grade.cell.cell_type == "markdown" else grade.max_score
            grade.needs_manual_grade = grade.cell.cell_type == "markdown"
        book.db.commit()
    for step in ("submitted", "autograded"):
        shutil.copytree(folder / "course", folder / step / "ada")
    return folder


@pytest.fixture(scope="module")
def lab(house, tmp_path_factory):
    """The address of a JupyterLab that serves the course, started as `make lab` does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = tmp_path_factory.mktemp("settings")
    places = {name: str(settings) for name in ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")}
    command = ["jupyter", "lab", "--no-browser", f"--ServerApp.root_dir={house}", f"--ServerApp.port={port}"]
    command += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
    command += ["--allow-root"] if os.name == "posix" and os.geteuid() == 0 else []
    log = (settings / "log").open("w+")
    server = subprocess.Popen(command, cwd=house, env=os.environ | places, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait(lambda: answers(f"{address}/api"), "JupyterLab did not start")
        yield address
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A browser without a past."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    require(chromium and driver, "Chromium with its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


def wait(found, what: str, seconds: float = 60):
    """The first true value that `found` gives."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.2)
    pytest.fail(f"{what} in {seconds:.0f} s")


class Notebook:
    """A notebook open in JupyterLab, used as a person would: click, type, Shift+Enter, read."""

    def __init__(self, page, address: str, path: Path, lab_root: Path):
        self.page = page
        page.get(f"{address}/lab/tree/{path.relative_to(lab_root)}?reset")
        cells = nbformat.read(path, 4).cells
        self.index = {cell.metadata.nbgrader.grade_id: n for n, cell in enumerate(cells) if "nbgrader" in cell.metadata}
        wait(lambda: page.find_elements("css selector", ".jp-Notebook .jp-Cell"), "the notebook did not open")
        wait(lambda: "| Idle" in page.find_element("css selector", "#jp-bottom-panel").text, "no kernel was ready")

    def cell(self, name: str):
        return self.page.find_element("css selector", f'.jp-Cell[data-windowed-list-index="{self.index[name]}"]')

    def click(self, name: str):
        self.page.execute_script("arguments[0].scrollIntoView({block: 'center'})", self.cell(name))
        time.sleep(0.5)
        self.cell(name).find_element("css selector", ".cm-content").click()

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        keys = [getattr(Keys, key, key) for key in keys]
        actions = ActionChains(self.page)
        for key in keys[:-1]:
            actions.key_down(key)
        actions.send_keys(keys[-1])
        for key in keys[:-1]:
            actions.key_up(key)
        actions.perform()

    def run(self, name: str) -> None:
        """Shift+Enter, and wait for the cell to have run."""
        self.click(name)
        before = self.prompt(name)
        self.press("SHIFT", "ENTER")
        wait(lambda: self.prompt(name) not in (before, "[*]:"), f"{name} did not run")

    def prompt(self, name: str) -> str:
        return self.cell(name).find_element("css selector", ".jp-InputPrompt").text

    def replace_line(self, name: str, old: str, new: str) -> None:
        """Select the line that contains `old` and type over it."""
        self.click(name)
        lines = self.cell(name).find_elements("css selector", ".cm-line")
        next(line for line in lines if old in line.text).click()
        self.press("END")
        self.press("SHIFT", "HOME")
        self.press(new)
        assert new in self.cell(name).text

    def report(self, cell: str, exercise: str):
        """The check's report in a cell's output, found as a screen reader would: by its role and its name."""
        regions = self.cell(cell).find_elements("css selector", "[role=region]")
        named = [each for each in regions if each.accessible_name == f"Check of {exercise}"]
        assert len(named) == 1
        assert named[0].aria_role == "region"
        return named[0]


def test_a_learner_types_a_function_and_reads_the_report(lab, house, page):
    lesson = Notebook(page, lab, house / "course" / LESSON / f"{LESSON}.ipynb", house)
    lesson.run("setup")

    lesson.run("dot_product")
    lesson.run("check_dot_product")
    assert "NotImplementedError" in lesson.cell("check_dot_product").text

    lesson.replace_line("dot_product", "raise NotImplementedError", "return (u * v).sum(axis=0)")
    lesson.run("dot_product")
    lesson.run("check_dot_product")
    told = lesson.report("check_dot_product", "dot_product").text
    assert told.startswith("✗ dot_product: 1 of 3 points")
    assert "✓ passed" in told
    assert "was expected" in told
    assert "CheckFailed: dot_product has 1 of 3 points" in lesson.cell("check_dot_product").text
    assert "Traceback" not in lesson.cell("check_dot_product").text

    lesson.replace_line("dot_product", "return", "return (u * v).sum(axis=-1)")
    lesson.run("dot_product")
    lesson.run("check_dot_product")
    report = lesson.report("check_dot_product", "dot_product")
    assert report.text.startswith("✓ dot_product: 3 of 3 points")
    rows = report.find_elements("css selector", "tbody tr")
    assert [row.find_element("css selector", "th").aria_role for row in rows] == ["rowheader"] * len(rows)
    assert all("✓ passed" in row.text for row in rows)

    lesson.press("CONTROL", "s")
    path = house / "course" / LESSON / f"{LESSON}.ipynb"
    wait(lambda: "sum(axis=-1)" in path.read_text(), "the notebook was not saved")


def test_a_locked_cell_cannot_be_changed(lab, house, page):
    lesson = Notebook(page, lab, house / "course" / LESSON / f"{LESSON}.ipynb", house)
    lesson.click("check_dot_product")
    before = lesson.cell("check_dot_product").text
    lesson.press("x")
    assert lesson.cell("check_dot_product").text == before


def test_an_instructor_sees_assignments_and_grades_in_formgrader(lab, page):
    page.get(f"{lab}/lab?reset")
    menu = wait(
        lambda: [each for each in page.find_elements("css selector", "[role=menuitem]") if each.text == "Nbgrader"],
        "nbgrader's menu did not show",
    )
    wait(lambda: not page.find_elements("id", "jupyterlab-splash"), "JupyterLab kept loading")
    menu[0].click()
    wait(
        lambda: [each for each in page.find_elements("css selector", ".lm-Menu-item") if each.text == "Formgrader"],
        "formgrader is not in the menu",
    )[0].click()
    frame = wait(lambda: page.find_elements("css selector", "iframe[src*=formgrader]"), "formgrader did not open")
    page.switch_to.frame(frame[0])
    wait(lambda: LESSON in page.find_element("tag name", "body").text, "formgrader lists no assignments")
    row = page.find_element("xpath", f"//tr[td[contains(., '{LESSON}')]]")
    assert row.find_element("css selector", ".num-submissions").text == "1"

    page.get(f"{lab}/formgrader/manage_students/ada")
    wait(lambda: LESSON in page.find_element("tag name", "body").text, "the student's grades do not show")
    scores = page.find_element("xpath", f"//tr[td[contains(., '{LESSON}')]]").text
    assert "7 / 9" in scores


def test_an_author_sees_the_points_in_create_assignment(lab, house, page):
    source = house / "solutions" / LESSON / f"{LESSON}.ipynb"
    Notebook(page, lab, source, house)
    page.find_element(
        "css selector", "[role=tab][title*='Create Assignment'], [data-id=nbgrader-create-assignment]"
    ).click()
    total = wait(lambda: page.find_elements("css selector", ".nbgrader-TotalPointsInput"), "the panel did not open")
    assert float(total[0].get_attribute("value")) == 9
