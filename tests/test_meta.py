"""Every exercise of every lesson: stubs fail kindly, solutions and equivalents pass, misconceptions are named.

ATTN_SEEDS says how many seeds to try: 20 by default, fewer for the lessons whose modules take long.
"""

import importlib.util
import os
from functools import lru_cache
from pathlib import Path

import pytest

from autograder import lessons
from autograder.judge import exam, judge, report_on
from autograder.probe import prober

FEWER_SEEDS = {"13_transformer_blocks": 3, "14_transformer": 2}
EXERCISES = [(lesson, name) for lesson, exercises in lessons.catalog().items() for name in exercises]
HERE = Path(__file__).parent


def seeds(lesson: str) -> range:
    return range(1, 1 + int(os.environ.get("ATTN_SEEDS", FEWER_SEEDS.get(lesson, 20))))


@lru_cache
def equivalents(lesson: str) -> dict:
    file = HERE / "equivalents" / f"{lessons.topic(lesson)}.py"
    spec = importlib.util.spec_from_file_location(f"equivalents_{lessons.topic(lesson)}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EQUIVALENTS


def not_written(*args, **kwargs):
    raise NotImplementedError


def always_raises(*args, **kwargs):
    raise ValueError("no")


def returns_nothing(*args, **kwargs):
    return None


def returns_its_first_argument(*args, **kwargs):
    return args[0] if args else None


every_exercise = pytest.mark.parametrize(("lesson", "name"), EXERCISES, ids=[name for _, name in EXERCISES])


@every_exercise
def test_exercise_is_complete(lesson, name):
    exercise = lessons.find(name)
    assert exercise.lesson == lesson
    assert exercise.points == lessons.catalog()[lesson][name]
    assert len(exercise.hints) >= 3
    assert all(hint == hint.strip() for hint in exercise.hints)
    assert len({mistake.name for mistake in exercise.misconceptions}) == len(exercise.misconceptions) > 0
    assert all(mistake.hint for mistake in exercise.misconceptions)
    assert equivalents(lesson).get(name)


@every_exercise
def test_stub_fails_kindly(lesson, name):
    report = judge(lessons.find(name), 1, prober(not_written))
    assert report.score == 0
    assert "not written yet" in report.message


@every_exercise
@pytest.mark.parametrize("wrong", [always_raises, returns_nothing, returns_its_first_argument])
def test_empty_answers_earn_nothing_or_little(lesson, name, wrong):
    report = judge(lessons.find(name), 1, prober(wrong))
    assert not report.passed
    if wrong is not returns_its_first_argument:
        assert report.score == 0


@every_exercise
def test_solution_and_equivalents_pass(lesson, name):
    solution = getattr(lessons.lesson(lesson), name)
    for right in [solution, *equivalents(lesson)[name]]:
        for seed in seeds(lesson):
            report = judge(lessons.find(name), seed, prober(right))
            assert report.passed, f"{right}, seed {seed}: {report}"
            assert not report.notes


@every_exercise
def test_misconceptions_are_rejected_and_named(lesson, name):
    exercise = lessons.find(name)
    for seed in seeds(lesson):
        sheet = exam(exercise, seed)
        for mistake, (answers, _) in zip(exercise.misconceptions, sheet.mistakes, strict=True):
            report = report_on(sheet, answers)
            assert not report.passed, f"seed {seed}: passes although {mistake.name}"
            assert report.misconception == mistake.name, f"seed {seed}, {mistake.name}: {report}"
