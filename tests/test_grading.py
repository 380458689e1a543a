"""The class grader: one way to the grade book, whichever door is used, and nothing lost on the way."""

import csv
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import courses
import pytest
from conftest import require

from autograder import lessons
from autograder.cli import main
from autograder.grading import sandbox
from autograder.grading.sample import make_class
from autograder.grading.sandbox import SandboxError, Zygote

LESSON = "00_welcome"
DUE, LATE = "2026-01-01 00:00:00 UTC", "2026-01-02 00:00:00 UTC"


@pytest.fixture(autouse=True)
def _needs_bubblewrap():
    require(shutil.which("bwrap"), "bubblewrap")


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory) -> Path:
    """A course of two lessons and a mixed class; it stays ungraded, and is copied."""
    root = courses.make_course(tmp_path_factory.mktemp("class") / "course", LESSON, "03_masking")
    make_class(LESSON, 12, 1, root)
    (root / "submitted" / "sample-03" / LESSON / "timestamp.txt").write_text(LATE)
    broken = root / "submitted" / "torn" / LESSON / f"{LESSON}.ipynb"
    broken.parent.mkdir(parents=True)
    broken.write_text('{"cells": [')
    (root / "submitted" / "absent" / LESSON).mkdir(parents=True)
    dying = courses.answered(courses.solved(root, LESSON), {"dot_product": "import os\nos._exit(1)"})
    courses.hand_in(root, "dying", LESSON, dying)
    return root


@pytest.fixture
def course(handed_in, tmp_path) -> Path:
    root = tmp_path / "course"
    shutil.copytree(handed_in, root)
    return root


def grade(root: Path, *options: str, lesson: str = LESSON) -> int:
    return main(["grade", lesson, "--course", str(root), *options])


def graded(root: Path, lesson: str = LESSON) -> dict[str, float]:
    found = root.glob(f"autograded/*/{lesson}/graded.json")
    return {path.parts[-3]: json.loads(path.read_text())["score"] for path in found}


def run(root: Path, *command: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", *command], cwd=root, capture_output=True, text=True, **options)


def deserved(root: Path, lesson: str = LESSON) -> dict[str, float]:
    told = json.loads((root / "submitted" / f"deserved_{lesson}.json").read_text())
    return {student: each["score"] for student, each in told.items()}


# ---- what is graded, and where it goes


def test_everybody_gets_what_they_deserve(course, capsys):
    assert grade(course, "--json", str(course / "out.json")) == 0
    scores = graded(course)
    assert {name: scores[name] for name in deserved(course)} == deserved(course)
    assert (scores["torn"], scores["absent"], scores["dying"]) == (0.0, 0.0, 4.0)
    shown = capsys.readouterr().out
    assert "cannot be read as JSON" in shown
    assert "No notebook of this lesson" in shown
    told = json.loads((course / "out.json").read_text())
    assert {each["student"]: each["score"] for each in told["results"]} == scores
    book = courses.grade_book(course, LESSON)
    assert set(book) == set(scores)
    for student, (_, _, most, _, grades, _) in book.items():
        assert most == 9.0
        assert sum(auto or 0.0 for name, auto, *_ in grades if name.startswith("check_")) == scores[student]


def test_a_class_of_the_masking_lesson(course):
    make_class("03_masking", 8, 3, course)
    assert grade(course, lesson="03_masking") == 0
    assert graded(course, "03_masking") == deserved(course, "03_masking")


def test_misconceptions_are_named(course):
    make_class("03_masking", 6, 5, course)
    assert grade(course, lesson="03_masking") == 0
    told = json.loads((course / "submitted" / "deserved_03_masking.json").read_text())
    for student, each in told.items():
        record = json.loads((course / "autograded" / student / "03_masking" / "graded.json").read_text())
        for exercise in record["exercises"]:
            what = each["exercises"][exercise["name"]]["what"]
            if what.startswith("misconception: "):
                assert exercise["misconception"] == what.removeprefix("misconception: ")


def test_all_doors_lead_to_the_same_grade_book(course, tmp_path):
    """attn grade, nbgrader autograde and formgrader's button; with a late penalty."""
    doors = [course, tmp_path / "nbgrader", tmp_path / "formgrader"]
    for root in doors[1:]:
        shutil.copytree(course, root)
    for root in doors:
        settings = root / "nbgrader_config.py"
        settings.write_text(settings.read_text() + "\nc.LateSubmissionPlugin.penalty_method = 'zero'\n")
        set_due_date(root)
    assert grade(doors[0]) == 0
    assert run(doors[1], "nbgrader", "autograde", LESSON).returncode == 0
    press = (
        "import sys\nfrom nbgrader.apps import NbGraderAPI\n"
        "from nbgrader.coursedir import CourseDirectory\nfrom traitlets.config import PyFileConfigLoader\n"
        "config = PyFileConfigLoader('nbgrader_config.py').load_config()\n"
        "api = NbGraderAPI(CourseDirectory(config=config), config=config)\n"
        f"students = sorted(api.get_submitted_students('{LESSON}') | {{'absent'}})\n"
        f"assert all(api.autograde('{LESSON}', student)['success'] for student in students)\n"
    )
    pressed = subprocess.run([sys.executable, "-c", press], cwd=doors[2], capture_output=True, text=True)
    assert pressed.returncode == 0, pressed.stderr
    books = [courses.grade_book(root, LESSON) for root in doors]
    assert books[0] == books[1] == books[2]
    assert books[0]["sample-03"][3] == books[0]["sample-03"][1]  # the penalty is all of the score
    notebooks = [
        {path.parts[-3]: path.read_text() for path in root.glob(f"autograded/*/{LESSON}/*.ipynb")} for root in doors
    ]
    assert notebooks[0] == notebooks[1] == notebooks[2]


def set_due_date(root: Path) -> None:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root}/gradebook.db") as book:
        book.update_or_create_assignment(LESSON, duedate=DUE)


def test_round_trip_with_feedback_and_export(course):
    assert grade(course) == 0
    assert run(course, "nbgrader", "generate_feedback", LESSON).returncode == 0
    pages = {path.parts[-3]: path.read_text() for path in course.glob(f"feedback/*/{LESSON}/{LESSON}.html")}
    assert set(pages) == set(graded(course))
    assert "cannot be read as JSON" in pages["torn"]
    assert "its process ended early" in pages["dying"] or "the end of the process" in pages["dying"]
    assert run(course, "nbgrader", "export").returncode == 0
    with (course / "grades.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file) if row["assignment"] == LESSON}
    assert {name: float(rows[name]["raw_score"]) for name in deserved(course)} == deserved(course)


@pytest.mark.parametrize("lesson", lessons.names())
def test_round_trip_of_each_lesson(lesson, tmp_path):
    """Released, answered by a class, graded as deserved with as many threads as anybody has, returned with feedback."""
    root = courses.make_course(tmp_path / "course", lesson)
    make_class(lesson, 4, 2, root)
    courses.hand_in(root, "diligent", lesson, courses.solved(root, lesson))
    threads = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = run(root, "autograder", "grade", lesson, "--course", str(root), env=threads, timeout=300)
    assert done.returncode == 0, done.stderr
    full = {"diligent": sum(lessons.catalog()[lesson].values())}
    assert graded(root, lesson) == deserved(root, lesson) | full
    assert run(root, "nbgrader", "generate_feedback", lesson).returncode == 0
    pages = {path.parts[-3]: path.read_text() for path in root.glob(f"feedback/*/{lesson}/{lesson}.html")}
    assert set(pages) == {*deserved(root, lesson), *full}
    assert all("attn-report" in page for page in pages.values())


def test_manual_grades_are_kept(course):
    from nbgrader.api import Gradebook

    assert grade(course) == 0
    student = next(name for name, score in deserved(course).items() if score == 7.0)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        answer = book.find_grade("question_welcome", LESSON, LESSON, student)
        assert answer.needs_manual_grade
        answer.manual_score = 2.0
        book.db.commit()
    assert grade(course, "--force") == 0
    assert courses.grade_book(course, LESSON)[student][1] == 9.0


# ---- again, and after a fall


def test_only_what_is_left_is_graded(course, capsys):
    assert grade(course) == 0
    first = times(course)
    courses.hand_in(course, "newcomer", LESSON, courses.solved(course, LESSON))
    assert grade(course) == 0
    assert "15 are graded already" in capsys.readouterr().out
    assert {name: when for name, when in times(course).items() if name != "newcomer"} == first
    assert grade(course, "--force") == 0
    assert not set(times(course).items()) & set(first.items())


def times(root: Path) -> dict[str, float]:
    return {path.parts[-3]: path.stat().st_mtime_ns for path in root.glob("autograded/*/*/graded.json")}


@pytest.mark.parametrize(
    "trouble", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=["Ctrl-C", "disk"]
)
def test_what_is_graded_is_kept(course, monkeypatch, capsys, trouble):
    from autograder.grading.recorder import Recorder

    straight, calls = Recorder._record, []

    def stumble(self, student, path):
        calls.append(student)
        straight(self, student, path)
        if len(calls) == 6:
            raise trouble

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "_record", stumble)
        assert grade(course) == 1
    assert "the next run grades the rest" in capsys.readouterr().err
    assert len(graded(course)) >= 5
    assert grade(course) == 0
    assert len(graded(course)) == 15
    assert_same_as_a_smooth_run(course)


def test_killed_in_the_middle(course):
    command = [sys.executable, "-m", "autograder", "grade", LESSON, "--course", str(course)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while len(graded(course)) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    below = descendants(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in below) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [pid for pid in below if Path(f"/proc/{pid}").exists()]
    assert len(graded(course)) >= 3
    assert grade(course) == 0
    assert_same_as_a_smooth_run(course)


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    found, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        try:
            for task in Path(f"/proc/{each}/task").iterdir():
                below = [int(child) for child in (task / "children").read_text().split()]
                waiting += below
                found += below
        except OSError:
            continue
    return found


def assert_same_as_a_smooth_run(course: Path) -> None:
    scores = graded(course)
    assert {name: scores[name] for name in deserved(course)} == deserved(course)
    book = courses.grade_book(course, LESSON)
    assert {
        s: sum(auto or 0.0 for n, auto, *_ in told[4] if n.startswith("check_")) for s, told in book.items()
    } == scores


def test_a_worker_that_is_killed(course, monkeypatch):
    """The pool is made anew, and nobody is left out."""
    from autograder.grading import grade as module

    straight = module.mark

    def fall_once(assignment, zygote, student, submission):
        mark = course / "fallen"
        if student == "sample-02" and not mark.exists():
            mark.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return straight(assignment, zygote, student, submission)

    monkeypatch.setattr(module, "mark", fall_once)
    assert grade(course) == 0
    assert (course / "fallen").exists()
    assert len(graded(course)) == 15


# ---- the secret


def test_the_secret_is_private_and_decides_the_hidden_cases(course):
    from autograder.grading.seed import NAME, course_secret, seeds

    (course / NAME).unlink(missing_ok=True)
    secret = course_secret(course)
    assert stat.S_IMODE((course / NAME).stat().st_mode) == 0o600
    assert secret == course_secret(course)
    assert len(secret) >= 32
    first = seeds(course, LESSON, ["dot_product", "weighted_average"])
    assert first == seeds(course, LESSON, ["dot_product", "weighted_average"])
    assert len({*first.values(), *seeds(course, "01_scoring", first).values()}) == 4
    assert seeds(course, LESSON, first, 7) == seeds(Path("/nowhere"), LESSON, first, 7) != first
    (course / NAME).chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        course_secret(course)


def test_a_secret_that_others_can_read_stops_grading(course, capsys):
    from autograder.grading.seed import NAME

    (course / NAME).chmod(0o640)
    assert grade(course) == 1
    assert "can be read by others" in capsys.readouterr().err


# ---- the sandbox itself


def test_without_bubblewrap(course, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    assert grade(course) == 1
    told = capsys.readouterr().err
    assert "apt-get install bubblewrap" in told
    assert "--no-sandbox" in told
    assert graded(course) == {}
    environment = {**os.environ, "PATH": "/nowhere"}
    autograde = run(course, "nbgrader", "autograde", LESSON, env=environment)
    assert autograde.returncode == 1
    assert "apt-get install bubblewrap" in autograde.stderr
    assert graded(course) == {}


def test_without_a_sandbox_it_warns_and_grades_the_same(course, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/usr/nowhere")
    monkeypatch.setattr("tempfile.tempdir", str(course.parent))
    assert grade(course, "--no-sandbox") == 0
    assert not list(course.parent.glob("attn-*"))
    assert "WITHOUT A SANDBOX" in capsys.readouterr().err
    scores = graded(course)
    assert {name: scores[name] for name in deserved(course)} == deserved(course)


def test_where_user_namespaces_are_refused(monkeypatch):
    straight = sandbox.command

    def refuse(*arguments, **options):
        made = straight(*arguments, **{**options, "root": False})
        return [made[0], "--disable-userns", *made[1:]]

    monkeypatch.setattr(sandbox, "command", refuse)
    with Zygote([], {}, []) as zygote, pytest.raises(SandboxError, match="user namespace"):
        zygote.open(sandbox.Limits())


def test_for_people_who_are_not_root(course, monkeypatch):
    """With --unshare-user, as for everybody but root."""
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: 1000)
    assert grade(course, "--workers", "1") == 0
    assert graded(course)["dying"] == 4.0


def test_each_limit_can_be_set(course):
    slow = courses.answered(courses.solved(course, LESSON), {"dot_product": "import time\ntime.sleep(30)"})
    shutil.rmtree(course / "submitted")
    courses.hand_in(course, "slow", LESSON, slow)
    began = time.monotonic()
    assert grade(course, "--cell-seconds", "1") == 0
    assert time.monotonic() - began < 25
    assert graded(course) == {"slow": 4.0}
    heavy = courses.answered(
        slow, {"dot_product": "x = bytearray(2 * 10**8)\ndef dot_product(u, v):\n    return (u * v).sum(-1)"}
    )
    courses.hand_in(course, "slow", LESSON, heavy)
    assert grade(course, "--force", "--memory", "100000000") == 0
    assert graded(course) == {"slow": 4.0}
    assert grade(course, "--force", "--memory", "900000000") == 0
    assert graded(course) == {"slow": 7.0}


def test_seccomp_filters_know_both_machines():
    from autograder.grading.jail import ALLOW, EPERM, ERRNO, seccomp_program

    for machine, unshare, clone, read in (("x86_64", 272, 56, 0), ("aarch64", 97, 220, 63)):
        program = seccomp_program(machine)
        audit = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[machine]
        assert filtered(program, audit, unshare) == ERRNO | EPERM
        assert filtered(program, audit, read) == ALLOW
        assert filtered(program, audit, clone, 17) == ALLOW
        assert filtered(program, audit, clone, 0x10000000 | 17) == ERRNO | EPERM
        assert filtered(program, 0x40000003, read) == 0x80000000


def filtered(program, audit: int, call: int, argument: int = 0) -> int:
    """What a filter answers to a call: the instructions that ours use, interpreted."""
    loaded, place = 0, 0
    while True:
        code, yes, no, operand = program[place]
        place += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            loaded = {0: call, 4: audit, 16: argument}[operand]
        else:
            holds = {0x15: loaded == operand, 0x35: loaded >= operand, 0x45: bool(loaded & operand)}[code]
            place += yes if holds else no


# ---- for the instructor


def test_a_cluster_that_loses_a_worker_gives_the_same_grades(course, tmp_path):
    pytest.importorskip("distributed")
    local = tmp_path / "local"
    make_class(LESSON, 40, 4, course)
    shutil.copytree(course, local)
    assert grade(local) == 0
    environment = {**os.environ, "PYTHONPATH": str(courses.ROOT)}
    options = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    file = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    flags = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), "--no-dashboard"]
    started = [subprocess.Popen([*dask, *flags], **options)]
    try:
        until = time.monotonic() + 60
        while not (file.exists() and file.read_text().endswith("}")) and time.monotonic() < until:
            time.sleep(0.1)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
        worker += ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", str(tmp_path)]
        started += [subprocess.Popen(worker, **options) for _ in range(2)]
        address = json.loads(file.read_text())["address"]
        command = [sys.executable, "-m", "autograder", "grade", LESSON, "--course", str(course), "--scheduler", address]
        grading = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until = time.monotonic() + 240
        while len(graded(course)) < 8 and time.monotonic() < until and grading.poll() is None:
            time.sleep(0.02)
        assert len(graded(course)) < 40
        started[-1].send_signal(signal.SIGKILL)
        told = grading.communicate(timeout=300)[1]
        assert grading.returncode == 0, told
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert graded(course) == graded(local)
    assert courses.grade_book(course, LESSON) == courses.grade_book(local, LESSON)


def test_report(course, capsys):
    make_class("03_masking", 10, 2, course)
    assert grade(course, lesson="03_masking") == 0
    capsys.readouterr()
    assert main(["report", "03_masking", "--course", str(course)]) == 0
    shown = capsys.readouterr().out
    with (course / "reports" / "03_masking.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["exercise"] for row in rows][:2] == ["padding_mask", "causal_mask"]
    assert all(row["exercise"] in shown for row in rows)
    told = json.loads((course / "submitted" / "deserved_03_masking.json").read_text())
    for row in rows:
        whats = [each["exercises"][row["exercise"]]["what"] for each in told.values()]
        assert int(row["passed"]) == sum(what in ("solution", "equivalent") for what in whats)
        for what in whats:
            if what.startswith("misconception: "):
                assert what.removeprefix("misconception: ") in row["misconceptions"]
    assert (course / "reports" / "03_masking.png").stat().st_size > 5000
    assert main(["report", LESSON, "--course", str(course)]) == 1
