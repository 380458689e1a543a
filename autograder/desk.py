"""The student's own desk: check, assess, hint, reveal and progress, in one process."""

import json
import os
import secrets
from html import escape
from pathlib import Path

import platformdirs

from autograder import lessons
from autograder.report import Report

SEED = secrets.randbits(32)


class CheckFailed(AssertionError):
    """A check that found something wrong; the report has said what."""

    def _render_traceback_(self) -> list[str]:
        return [f"CheckFailed: {self}"]


class NoSuchExercise(ValueError):
    """A name that is no exercise's; the message is all that a notebook shows."""

    def _render_traceback_(self) -> list[str]:
        return [f"ValueError: {self}"]


def check(name: str, student_object: object) -> None:
    """Check an exercise and show the report; raise CheckFailed if anything is wrong.

    name: the exercise's, such as "softmax". student_object: the function or class to check.
    Raises ValueError if there is no such exercise.
    """
    report = assess(name, student_object)
    _remember("scores", name, [report.score, report.max_score])
    _show(report)
    if not report.passed:
        raise CheckFailed(f"{name} has {report.score} of {report.max_score} points; the report says what to mend.")


def assess(name: str, student_object: object, seed: int | None = None) -> Report:
    """The report on an exercise, without showing it or raising.

    seed chooses the hidden cases; without one, they are new for each process. Raises ValueError if there is no such
    exercise.
    """
    from autograder.judge import judge, unanswered
    from autograder.probe import prober

    exercise = _find(name)
    if not callable(student_object):
        what = f"`{name}` should be a function or a class; it is {student_object!r:.80}."
        return unanswered(exercise, f'{what} Give it without calling it: `check("{name}", {name})`.')
    return judge(exercise, SEED if seed is None else seed, prober(student_object))


def hint(name: str) -> None:
    """Print the exercise's next hint; after the last one, the last again."""
    hints = _find(name).hints
    given = _recall().get("hints", {}).get(name, 0)
    number = min(given, len(hints) - 1)
    _remember("hints", name, number + 1)
    more = f'Call hint("{name}") again for more.' if number + 1 < len(hints) else f'reveal("{name}") shows a solution.'
    print(f"Hint {number + 1} of {len(hints)}: {hints[number]}\n{more}")


def reveal(name: str) -> None:
    """Print the lesson's solution, after asking whether you are sure."""
    _find(name)
    try:
        answer = input(f"Show the solution of {name}? You learn more from one more try. [y/N] ")
    except (EOFError, NotImplementedError, RuntimeError):
        print("reveal() asks before it shows: run it where you can type an answer.")
        return
    print(lessons.solution(name) if answer.strip().lower() in ("y", "yes") else "Good. It stays hidden.")


class Progress:
    """Which exercises are done, as a table."""

    def __init__(self, rows: list[tuple[str, str, str]]):
        self.rows = rows

    def __repr__(self) -> str:
        width = max((len(name) for _, name, _ in self.rows), default=8)
        lines, former = [], None
        for lesson, name, state in self.rows:
            if lesson != former:
                lines.append(lesson)
            lines.append(f"  {name:<{width}}  {state}")
            former = lesson
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{escape(lesson)}</td><td><code>{escape(name)}</code></td><td>{escape(state)}</td></tr>"
            for lesson, name, state in self.rows
        )
        head = "<tr><th scope='col'>lesson</th><th scope='col'>exercise</th><th scope='col'>points</th></tr>"
        return f"<table><caption>Your progress</caption><thead>{head}</thead><tbody>{cells}</tbody></table>"


def progress() -> Progress:
    """Which exercises of which lessons are done; remembered on disk, across kernels."""
    scores = _recall().get("scores", {})
    rows = []
    for lesson, exercises in lessons.catalog().items():
        for name, points in exercises.items():
            score = scores.get(name)
            done = score is not None and score[0] >= score[1]
            state = "not tried" if score is None else f"{score[0]} of {points}{' ✓ done' if done else ''}"
            rows.append((lesson, name, state))
    return Progress(rows)


def _find(name: str):
    """The exercise; raises NoSuchExercise, a ValueError, if there is none."""
    if not isinstance(name, str):
        raise NoSuchExercise('the name comes first, in quotes, as in `check("softmax", softmax)`')
    try:
        return lessons.find(name)
    except ValueError as error:
        raise NoSuchExercise(str(error)) from None


def _store() -> Path:
    home = os.environ.get("ATTN_HOME") or platformdirs.user_data_dir("attention-from-scratch", appauthor=False)
    return Path(home) / "progress.json"


def _recall() -> dict:
    try:
        found = json.loads(_store().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(what: str, name: str, value) -> None:
    """Keep a value on disk; a desk without a writable disk works all the same."""
    known = _recall()
    known.setdefault(what, {})[name] = value
    try:
        _store().parent.mkdir(parents=True, exist_ok=True)
        draft = _store().with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(known), encoding="utf-8")
        draft.replace(_store())
    except OSError:
        pass


def _show(report: Report) -> None:
    try:
        shell = get_ipython()
    except NameError:
        shell = None
    if shell is None or not hasattr(shell, "kernel"):
        print(report)
        return
    from IPython.display import display

    from autograder.html import render

    display({"text/html": render(report), "text/plain": str(report)}, raw=True)
