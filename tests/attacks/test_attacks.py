"""One class in which nearly everybody is up to something, graded in one run; then each student is looked at."""

import copy
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import threading
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar

import pytest
from broken import BROKEN, FORGED
from cheats import CHEATS
from conftest import require
from honest import ENCODINGS, HONEST, STUB
from markup import ANSWERS, MARKUP

pytestmark = [pytest.mark.xdist_group("attacks"), pytest.mark.timeout(1500)]  # one class for all of them

LESSON = "00_welcome"
FULL = {"dot_product": 3.0, "weighted_average": 4.0}
QUICK = {"cell_seconds": 6.0, "case_seconds": 4.0, "submission_seconds": 120.0}
STAY = "98" + str(secrets.randbelow(10**6))  # the seconds for which what wants to stay sleeps
CANARY = "canary" + secrets.token_hex(8)


class Klass:
    """The graded class: summaries by student, and what was seen on the machine meanwhile."""

    zygotes: ClassVar[list[Path]] = []

    def __init__(self, root: Path):
        self.root = root
        self.results: dict = {}
        self.visitors: list = []

    def score(self, student: str) -> dict:
        return {each["name"]: each["score"] for each in self.results[student]["exercises"]}

    def notebook(self, student: str) -> str:
        return (self.root / "autograded" / student / LESSON / f"{LESSON}.ipynb").read_text(encoding="utf-8")

    def feedback(self, student: str) -> str:
        return (self.root / "feedback" / student / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")


def hand_in(root: Path, student: str) -> Path:
    folder = root / "submitted" / student / LESSON
    folder.mkdir(parents=True)
    return folder


def code(source: str) -> dict:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}


def with_cells(notebook: dict, cell: str, before=(), after=()) -> dict:
    """The notebook with another solution cell for dot_product, and cells around it."""
    notebook = copy.deepcopy(notebook)
    at = next(
        i for i, c in enumerate(notebook["cells"]) if c["metadata"].get("nbgrader", {}).get("grade_id") == "dot_product"
    )
    notebook["cells"][at]["source"] = cell
    notebook["cells"][at + 1 : at + 1] = [code(text) for text in after]
    notebook["cells"][at:at] = [code(text) for text in before]
    return notebook


def public_cases() -> str:
    """A submission that knows the answers to all public cases by heart."""
    from autograder import lessons
    from autograder.judge import exam

    table = {}
    for question in exam(lessons.find("dot_product"), None).questions:
        args = question.case.args
        if question.expected is not None and len(args) == 2:
            table[args[0].tobytes() + args[1].tobytes()] = (question.expected.value.tolist(), str(args[0].dtype))
    return (
        f"import numpy as np\nKNOWN = {table!r}\ndef dot_product(u, v):\n"
        "    value, dtype = KNOWN.get(u.tobytes() + v.tobytes(), (0.0, 'float64'))\n"
        "    return np.array(value, dtype)[()]\n"
    )


@pytest.fixture(scope="module")
def klass(tmp_path_factory):
    require(shutil.which("bwrap"), "bubblewrap")
    import courses

    from autograder.grading.grade import ClassGrader
    from autograder.grading.sandbox import Limits, Zygote

    course = courses.make_course(tmp_path_factory.mktemp("attacked") / "course", LESSON)
    released, solved = courses.released(course, LESSON), courses.solved(course, LESSON)
    klass = Klass(course)
    (course / "canary").write_text(CANARY)
    STUB[0] = next(
        c["source"] for c in released["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == "dot_product"
    )
    listener = socket.create_server(("127.0.0.1", 0))
    port = str(listener.getsockname()[1])
    hidden = socket.socket(socket.AF_UNIX)
    hidden.bind(f"\0attn-test-{port}")
    hidden.listen()
    for each in (listener, hidden):
        threading.Thread(target=_welcome, args=(each, klass.visitors), daemon=True).start()
    for cheat in CHEATS:
        folder = hand_in(course, f"{cheat.family} {cheat.name}".replace(" ", "-"))
        cell = public_cases() if cheat.cell == "@@PUBLIC@@" else cheat.cell.replace("98765", STAY)
        before = [
            text.replace("PORT", port) if cheat.family == "network" else text.replace("98765", STAY)
            for text in cheat.before
        ]
        (folder / f"{LESSON}.ipynb").write_text(json.dumps(with_cells(solved, cell, before, cheat.after)))
        for name, text in cheat.files.items():
            (folder / name).write_text(text)
    for name, (_, maker) in BROKEN.items():
        maker(hand_in(course, f"broken-{name}"), copy.deepcopy(released), copy.deepcopy(solved))
    for name, (_, change) in FORGED.items():
        notebook = with_cells(solved, "def dot_product(u, v):\n    return 42.0\n")
        change(notebook)
        (hand_in(course, f"forged-{name}") / f"{LESSON}.ipynb").write_text(json.dumps(notebook))
    for name, (kind, text) in MARKUP.items():
        notebook = copy.deepcopy(solved)
        cell = (
            {**code(text), "cell_type": kind} if kind == "code" else {"cell_type": kind, "metadata": {}, "source": text}
        )
        notebook["cells"].insert(6, {**cell, "id": "<script>ATTACK()</script>"})
        cell["metadata"] = {
            "tags": ["<script>ATTACK()"],
            "nbgrader": {"grade_id": "<script>ATTACK()"},
            "raw_mimetype": "text/html",
        }
        notebook["cells"].append(copy.deepcopy(cell))
        question = next(
            c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == "question_welcome"
        )
        question["source"] = text
        question["attachments"] = {"x": {'"><script>ATTACK()</script>': "ATTACK"}}
        notebook["metadata"]["title"] = notebook["metadata"]["language_info"] = {"name": "<script>ATTACK()</script>"}
        (hand_in(course, f"markup-{name}") / f"{LESSON}.ipynb").write_text(json.dumps(notebook))
    for name, cell in ANSWERS.items():
        (hand_in(course, f"markup-{name}") / f"{LESSON}.ipynb").write_text(json.dumps(with_cells(solved, cell)))
    for name, change in HONEST.items():
        notebook = copy.deepcopy(solved)
        change(notebook)
        (hand_in(course, name) / f"{LESSON}.ipynb").write_text(
            json.dumps(notebook, ensure_ascii=False), encoding="utf-8"
        )
    for name, write in ENCODINGS.items():
        (hand_in(course, name) / f"{LESSON}.ipynb").write_bytes(write(copy.deepcopy(solved)))
    (hand_in(course, "honest-renamed") / "00_welcome (1) - Kopie.ipynb").write_text(json.dumps(solved))
    os.environ["ATTN_CANARY"] = CANARY
    try:
        straight = Zygote.__init__

        def remember(self, *arguments):
            straight(self, *arguments)
            Klass.zygotes.append(self.folder)

        Zygote.__init__ = remember
        grader = ClassGrader(LESSON, course, limits=Limits(**QUICK))
        klass.results = grader.grade(workers=2, progress=False)
        klass.failed = grader.failed
    finally:
        del os.environ["ATTN_CANARY"]
        Zygote.__init__ = straight
    klass.left = processes()
    for students in ("markup-*", "secrets-hidden-*", "honest-prints-*"):
        command = ["nbgrader", "generate_feedback", LESSON, "--student", students]
        subprocess.run(command, cwd=course, check=True, capture_output=True)
    return klass


def _welcome(listener, visitors):
    while True:
        connection, _ = listener.accept()
        visitors.append(connection)


def processes() -> list[str]:
    """The command lines of what submissions started, and of the zygotes of this class."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if STAY in line or any(str(each) in line for each in Klass.zygotes):
            found.append(line)
    return found


def test_every_family_of_attacks_is_there():
    families = {cheat.family for cheat in CHEATS}
    assert len(families) >= 11
    assert len(CHEATS) + len(BROKEN) + len(FORGED) + len(MARKUP) + len(ANSWERS) >= 45
    assert len(HONEST) + len(ENCODINGS) + 1 >= 15


def test_everybody_is_graded(klass):
    handed_in = {path.name for path in (klass.root / "submitted").iterdir()}
    assert set(klass.results) == handed_in
    assert klass.failed == []


@pytest.mark.parametrize("cheat", CHEATS, ids=[f"{c.family}: {c.name}" for c in CHEATS])
def test_cheats_get_what_they_deserve(klass, cheat):
    score = klass.score(f"{cheat.family} {cheat.name}".replace(" ", "-"))
    for name, points in cheat.deserves.items():
        assert points is None or score[name] == points, name


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(klass, name):
    result = klass.results[f"broken-{name}"]
    assert result["score"] == BROKEN[name][0]
    assert result["score"] or result["problem"] or all(each["message"] for each in result["exercises"])


@pytest.mark.parametrize("name", FORGED)
def test_forged_metadata(klass, name):
    assert klass.results[f"forged-{name}"]["score"] == FORGED[name][0]


@pytest.mark.parametrize("name", [*HONEST, *ENCODINGS, "honest-renamed"])
def test_honest_students_get_full_marks(klass, name):
    assert klass.score(name) == FULL


def test_the_grade_book_says_the_same(klass):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{klass.root}/gradebook.db") as book:
        for student in klass.results:
            notebook = book.find_submission_notebook(LESSON, LESSON, student)
            scores = {
                g.name.removeprefix("check_"): g.auto_score for g in notebook.grades if g.name.startswith("check_")
            }
            assert scores == klass.score(student), student
            assert notebook.max_score == 9.0, student


def test_nothing_leaked(klass):
    for student in klass.results:
        told = klass.notebook(student)
        outputs = json.dumps([cell.get("outputs") for cell in json.loads(told)["cells"]])
        assert "LOOT" not in outputs, student
        assert CANARY not in told, student
    assert klass.visitors == []


def test_hidden_cases_stay_hidden(klass):
    """Numbers that a submission prints, raises or names are of public cases, if they are shown at all."""
    from autograder import lessons
    from autograder.judge import exam

    public, hidden = set(), set()
    seed = __import__("autograder.grading.seed", fromlist=["x"]).seeds(klass.root, LESSON, FULL)["dot_product"]
    for question in exam(lessons.find("dot_product"), seed).questions:
        numbers = {repr(float(x)) for arg in question.case.args for x in arg.ravel()}
        (hidden if question.hidden else public).update(number for number in numbers if len(number) > 10)
    hidden -= public
    assert len(hidden) > 20
    for student in ("secrets-hidden-inputs-in-prints", "secrets-hidden-inputs-in-names", "honest-prints-and-plots"):
        text = klass.notebook(student) + klass.feedback(student)
        assert not [number for number in hidden if number in text], student
    assert any(number in klass.notebook("secrets-hidden-inputs-in-prints") for number in public)


def test_nothing_is_left_behind(klass):
    assert Klass.zygotes
    assert klass.left == []
    for folder in ("/tmp", "/dev/shm", "/var/tmp", str(klass.root), os.getcwd()):
        assert not list(Path(folder).glob("attn-pwned*")), folder
    beside = {path.name for path in (klass.root / "autograded").rglob("*") if path.is_file()}
    assert beside <= {f"{LESSON}.ipynb", "graded.json", "timestamp.txt"}


class Live(HTMLParser):
    """What would run, or style, or load, in a page."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag, attributes):
        self.inside = tag if tag in ("script", "style") else ""
        for name, value in attributes:
            text = (value or "").replace("\n", "").replace("\t", "")
            if name.startswith("on") and "ATTACK" in text:
                self.found.append(f"{tag} {name}={text}")
            if (
                name in ("href", "src", "srcdoc", "action", "data")
                and not text.startswith("#")
                and ("ATTACK" in text or re.match(r"\s*(javascript|vbscript|data:text)", text, re.I))
            ):
                self.found.append(f"{tag} {name}={text[:80]}")
        if "ATTACK" in tag or any("attack" in name for name, _ in attributes):
            self.found.append(tag)

    def handle_data(self, data):
        if self.inside and "ATTACK" in data:
            self.found.append(f"<{self.inside}>{data[:80]}")

    def handle_endtag(self, tag):
        self.inside = ""


@pytest.mark.parametrize("name", [*MARKUP, *ANSWERS])
def test_markup_is_only_text(klass, name):
    student = f"markup-{name}"
    if name in MARKUP:
        assert klass.score(student) == FULL
    page = klass.feedback(student)
    live = Live()
    live.feed(page)
    assert live.found == []
    outside_code = re.sub(r"(?s)<pre>.*?</pre>", "", page)
    assert not re.search(r"\\(href|style|unicode)\b", outside_code)
    if name not in ("answer-type", "answer-type-name", "answer-warning", "displayed", "error-type"):
        assert "ATTACK" in page or "The question" in page or name.startswith("answer") or name == "raw-html"
