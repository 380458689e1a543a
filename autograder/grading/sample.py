"""`attn sample-class LESSON`: submissions made of stubs, solutions, equivalents and misconceptions in a known mix."""

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path

from autograder import lessons
from autograder.cli import ROOT

EQUIVALENTS = Path(__file__).resolve().parent.parent.parent / "tests" / "equivalents"
KINDS = {  # of a class, in hundredths
    "nothing done": 10,
    "all done as in the lesson": 20,
    "all done in another way": 20,
    "the second half missing": 10,
    "one misconception": 20,
    "several misconceptions": 20,
}
ANSWER = "The scores under the mask become minus infinity, so that $e^{-\\infty} = 0$, and the others share all of it."


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="such as 03_masking")
    parser.add_argument("--students", type=int, default=30, metavar="N", help="30 if not given")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which class; 0 if not given")
    parser.add_argument("--course", type=Path, default=ROOT, metavar="FOLDER", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> None:
    deserved = make_class(args.lesson, args.students, args.seed, args.course.resolve())
    for student, told in deserved.items():
        print(f"{student}  {told['score']:>4g} / {told['max_score']:g}  {told['kind']}")
    print(f"\nin {args.course / 'submitted'}; what each deserves: {deserved_path(args.course, args.lesson)}")


def deserved_path(root: Path, lesson: str) -> Path:
    return root / "submitted" / f"deserved_{lesson}.json"


@dataclass
class Answer:
    """A student's cell for one exercise, and what it is worth. what: how it came about."""

    source: str | None
    score: float
    what: str


def make_class(lesson: str, students: int, seed: int, root: Path) -> dict[str, dict]:
    """Write the submissions; what each student deserves, by student."""
    import nbformat

    from autograder.grading.grade import ClassGrader

    assignment = ClassGrader(lesson, root).assignment
    desk = Desk(lesson, assignment)
    rng = random.Random(seed)
    kinds = rng.choices(list(KINDS), weights=list(KINDS.values()), k=students)
    deserved = {}
    for number, kind in enumerate(kinds, 1):
        student = f"sample-{number:0{max(2, len(str(students)))}d}"
        answers = desk.answers(kind, rng)
        folder = root / "submitted" / student / lesson
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(fill_in(assignment.skeleton, answers), folder / f"{lesson}.ipynb")
        deserved[student] = {
            "kind": kind,
            "score": sum(answer.score for answer in answers.values()),
            "max_score": sum(exercise.points for exercise in assignment.exercises.values()),
            "exercises": {name: {"score": a.score, "what": a.what} for name, a in answers.items()},
        }
    path = deserved_path(root, lesson)
    path.write_text(json.dumps(deserved, indent=1) + "\n", encoding="utf-8")
    return deserved


class Desk:
    """The answers that students of a lesson may give, and what they are worth when judged in this process."""

    def __init__(self, lesson: str, assignment):
        from autograder.grading import implementations

        topic = lessons.topic(lesson)
        exercises = Path(__file__).resolve().parent.parent / "exercises" / f"{topic}.py"
        self.assignment = assignment
        self.misconceptions = implementations.misconceptions(exercises)
        path = EQUIVALENTS / f"{topic}.py"
        self.equivalents = implementations.equivalents(path) if path.exists() else {}
        self.worth: dict[tuple[str, str], float] = {}

    def answers(self, kind: str, rng: random.Random) -> dict[str, Answer]:
        """One student's answers, by exercise."""
        names = list(self.assignment.exercises)
        if kind == "nothing done":
            return {name: Answer(None, 0.0, "stub") for name in names}
        ways = {
            "all done as in the lesson": self.solution,
            "all done in another way": self.equivalent,
        }
        way = ways.get(kind, self.either)
        answers = {name: way(name, rng) for name in names}
        if kind == "the second half missing":
            answers |= {name: Answer(None, 0.0, "stub") for name in names[(len(names) + 1) // 2 :]}
        wrong = {"one misconception": 1, "several misconceptions": rng.randint(2, len(names))}.get(kind, 0)
        for name in rng.sample(names, min(wrong, len(names))):
            answers[name] = self.misconception(name, rng)
        return answers

    def solution(self, name: str, rng: random.Random) -> Answer:
        return Answer(lessons.solution(name), self._points(name), "solution")

    def equivalent(self, name: str, rng: random.Random) -> Answer:
        cells = self.equivalents.get(name)
        return Answer(rng.choice(cells), self._points(name), "equivalent") if cells else self.solution(name, rng)

    def either(self, name: str, rng: random.Random) -> Answer:
        return rng.choice([self.solution, self.equivalent])(name, rng)

    def misconception(self, name: str, rng: random.Random) -> Answer:
        if not self.misconceptions.get(name):
            return Answer(None, 0.0, "stub")
        label, source = rng.choice(self.misconceptions[name])
        return Answer(source, self._worth(name, label), f"misconception: {label}")

    def _points(self, name: str) -> float:
        return float(self.assignment.exercises[name].points)

    def _worth(self, name: str, label: str) -> float:
        """The points that are left to a misconception."""
        from autograder.judge import judge
        from autograder.probe import prober

        if (name, label) not in self.worth:
            exercise = self.assignment.exercises[name]
            wrong = next(each for each in exercise.misconceptions if each.name == label)
            report = judge(exercise, self.assignment.seeds[name], prober(wrong.implementation))
            self.worth[name, label] = float(report.score)
        return self.worth[name, label]


def fill_in(skeleton, answers: dict[str, Answer]):
    """The students' notebook with these answers in it."""
    import copy

    notebook = copy.deepcopy(skeleton)
    for cell in notebook.cells:
        grading = cell.metadata.get("nbgrader", {})
        if grading.get("solution"):
            answer = answers.get(grading["grade_id"])
            if cell.cell_type == "markdown" and any(each.source for each in answers.values()):
                cell.source = ANSWER
            elif answer is not None and answer.source:
                cell.source = answer.source
    return notebook
