"""Grades one submission: its cells run in a jailed child, and each exercise is judged here, outside.

Cases are asked one at a time. A submission then never holds a question that it has not been asked yet, an answer is
only ever the answer to the question just asked, and a submission that dies loses only what was not yet answered. A
round trip takes a fraction of a millisecond, so a batch would not be faster.
"""

import builtins
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from autograder import wire
from autograder.grading.notebook import Submission, plain_text
from autograder.grading.sandbox import Dead, Limits, Unasked
from autograder.judge import FIXED_WORDS, Lost, Request, judge, unanswered
from autograder.report import Report

RESTARTS_AT_MOST = 12
GRACE = 3.0  # seconds past an exercise's own time limit, until the process is ended
ERRORS = {
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
}


@dataclass
class Result:
    """What came of one submission. reports and outputs are by the index of the step; outputs are plain text."""

    reports: dict[int, Report] = field(default_factory=dict)
    outputs: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def score(self) -> float:
        return sum(report.score for report in self.reports.values())

    @property
    def max_score(self) -> float:
        return sum(report.max_score for report in self.reports.values())


def grade(
    submission: Submission,
    open_channel: Callable,
    exercises: dict,
    seeds: dict[str, int],
    limits: Limits,
    first: int = 0,
) -> Result:
    """Run and judge a submission. exercises and seeds: by name. first: cells before it were run by the zygote.

    A process that ends, hangs or breaks a limit is replaced by a fresh one that runs the cells again, without the one
    that ended it, for the exercises that are left. What failed is explained from another fresh process, which sees no
    hidden case: whatever a submission prints, raises or returns there cannot tell of one.
    """
    began = time.monotonic()
    result = Result(notes=list(submission.notes))
    checks = [i for i, step in enumerate(submission.steps) if step.role == "check"]
    named = {i: exercises[submission.steps[i].exercise] for i in checks}
    if submission.problem:
        result.reports = {i: unanswered(named[i], submission.problem) for i in checks}
        return result
    fatal: dict[int, str] = {}  # cells that ended a process, and how
    end = began + limits.submission_seconds
    for _ in range(RESTARTS_AT_MOST):
        left = end - time.monotonic()
        if left <= 0 or all(i in result.reports for i in checks):
            break
        now = replace(limits, submission_seconds=left)
        with open_channel(now) as channel:
            Pass(submission, channel, now, first, fatal, result.reports).run(named, seeds)
    for i in checks:
        if i not in result.reports:
            why = f"The submission used up its time ({limits.submission_seconds:g} seconds)."
            if time.monotonic() < end:
                why = "The submission's process ended too often."
            result.reports[i] = unanswered(named[i], why)
    failed = {i: named[i] for i in checks if needs_explaining(result.reports[i])}
    if failed and (left := end - time.monotonic()) > 0:
        now = replace(limits, submission_seconds=left)
        reports: dict[int, Report] = {}
        with open_channel(now) as channel:
            open_pass = Pass(submission, channel, now, first, fatal, reports)
            open_pass.run(failed, dict.fromkeys(seeds))
        result.outputs = open_pass.outputs
        for i, report in reports.items():
            result.reports[i] = explain(result.reports[i], report)
    result.seconds = time.monotonic() - began
    return result


def needs_explaining(report: Report) -> bool:
    """Whether more can be said: not where nothing came back, calls ran out of time, or hidden cases alone failed."""
    told = [aspect.message for aspect in report.aspects if not aspect.passed]
    if report.message or any(FIXED_WORDS["timeout"] in text for text in told):
        return False
    return any("(a hidden case)" not in text for text in told)


def explain(scored: Report, explained: Report) -> Report:
    """The scored report, with the explanations of what failed on public cases."""
    told = {aspect.name: aspect for aspect in explained.aspects if not aspect.passed}
    aspects = [
        aspect
        if aspect.passed or aspect.name not in told
        else replace(aspect, message=told[aspect.name].message, picture=told[aspect.name].picture)
        for aspect in scored.aspects
    ]
    return replace(scored, aspects=aspects)


class Pass:
    """One process, from the first cell to the last exercise wanted, or to its end. outputs: what its cells said."""

    def __init__(self, submission, channel, limits, first, fatal, reports):
        self.submission, self.channel, self.limits = submission, channel, limits
        self.first, self.fatal, self.reports = first, fatal, reports
        self.outputs: dict[int, str] = {}
        self.trouble: dict[str, str] = {}
        self.ended = False
        self.before: int | None = None  # the cell that ran last

    def run(self, wanted: dict, seeds: dict) -> None:
        """Judge the exercises that are `wanted` (by step) and have no report yet; a seed of None shows all."""
        last = max((i for i in wanted if i not in self.reports), default=-1)
        for i, step in enumerate(self.submission.steps[: last + 1]):
            if step.role == "check":
                if i in wanted and i not in self.reports:
                    self.reports[i] = self.judge(wanted[i], seeds[step.exercise])
            elif i in self.fatal:
                self.trouble[step.exercise] = self.fatal[i]
            elif step.kind == "code" and step.role != "skipped" and not self._done(step):
                self.cell(i, step)
            if self.ended:
                return

    def _done(self, step) -> bool:
        """The zygote ran the instructor's first cells before it forked."""
        return step.role == "instructor" and step.original is not None and step.original < self.first

    def cell(self, i: int, step) -> None:
        try:
            answer = self._ask(wire.dumps({"cell": step.source}), self.limits.cell_seconds)
            printed, error = answer["printed"], answer["error"]
            if not isinstance(printed, str) or not (error is None or isinstance(error, dict)):
                raise wire.WireError("not an answer")
        except (Dead, wire.WireError, KeyError, TypeError) as trouble:
            self.ended = True
            to_blame = self.before if isinstance(trouble, Unasked) and self.before is not None else i
            self.fatal[to_blame] = f"the end of the process ({plain_text(str(trouble), 200)})"
            return
        self.before = i
        told = ""
        if error is not None:
            self.trouble[step.exercise] = self._describe(error)
            told = f"{self._describe(error)}: {error.get('message', '')}"
        if printed or told:
            self.outputs[i] = plain_text("\n".join(filter(None, [printed.rstrip(), told])))

    @staticmethod
    def _describe(error: dict) -> str:
        """The kind and the line of an error, and nothing that a submission could word freely."""
        kind, line = error.get("type"), error.get("line")
        kind = kind if isinstance(kind, str) and kind in ERRORS else "an error"
        return f"{kind} on line {line}" if isinstance(line, int) and 0 < line < 100_000 else kind

    def judge(self, exercise, seed: int | None) -> Report:
        def ask(request: Request) -> dict:
            try:
                return self._ask(request.question, min(self.limits.case_seconds, exercise.seconds + GRACE))
            except Dead as dead:
                self.ended = True
                raise Lost(f"No answer came back: {dead}.") from None
            except wire.WireError as error:
                self.ended = True
                raise Lost(f"What came back cannot be read ({error}).") from None

        try:
            if self._ask(wire.dumps({"name": exercise.name}), self.limits.case_seconds).get("found") is not True:
                trouble = self.trouble.get(exercise.name)
                why = f"its cell stopped with {trouble}" if trouble else "no cell defines it"
                return unanswered(exercise, f"There is no `{exercise.name}`: {why}.")
            report = judge(exercise, seed, ask, show_hidden=False, show_public=seed is None)
        except (Dead, wire.WireError, AttributeError) as error:
            self.ended = True
            return unanswered(exercise, f"No answer came back: {plain_text(str(error), 200)}.")
        except Exception as error:  # an answer that the judge cannot handle earns nothing
            self.ended = True
            return unanswered(exercise, f"The answer could not be judged ({type(error).__name__}).")
        return clean(report)

    def _ask(self, question: bytes, seconds: float) -> dict:
        return wire.loads(self.channel.ask(question, seconds), self.limits.answer_bytes)


def clean(report: Report) -> Report:
    """The report with all text made harmless."""
    aspects = [replace(aspect, message=plain_text(aspect.message)) for aspect in report.aspects]
    notes = [plain_text(note) for note in report.notes]
    return replace(report, aspects=aspects, message=plain_text(report.message), notes=notes)
