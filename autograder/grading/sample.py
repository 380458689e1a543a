"""`attn sample-class LESSON`: submissions made of stubs, solutions, equivalents and misconceptions in a known mix."""

import argparse
import json
import random
import re
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
    """A student's cell for one exercise; None if the stub is left. what: how it came about."""

    source: str | None
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
        worth = {name: desk.worth(name, answers) for name in answers}
        deserved[student] = {
            "kind": kind,
            "score": sum(worth.values()),
            "max_score": sum(exercise.points for exercise in assignment.exercises.values()),
            "exercises": {name: {"score": worth[name], "what": a.what} for name, a in answers.items()},
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
        self.stubs = {
            cell.metadata.nbgrader["grade_id"]: cell.source
            for cell in assignment.skeleton.cells
            if cell.metadata.get("nbgrader", {}).get("solution")
        }
        self.known: dict[tuple, float] = {}

    def answers(self, kind: str, rng: random.Random) -> dict[str, Answer]:
        """One student's answers, by exercise."""
        names = list(self.assignment.exercises)
        if kind == "nothing done":
            return {name: Answer(None, "stub") for name in names}
        ways = {
            "all done as in the lesson": self.solution,
            "all done in another way": self.equivalent,
        }
        way = ways.get(kind, self.either)
        answers = {name: way(name, rng) for name in names}
        if kind == "the second half missing":
            answers |= {name: Answer(None, "stub") for name in names[(len(names) + 1) // 2 :]}
        wrong = {"one misconception": 1, "several misconceptions": rng.randint(2, len(names))}.get(kind, 0)
        for name in rng.sample(names, min(wrong, len(names))):
            answers[name] = self.misconception(name, rng)
        return answers

    def solution(self, name: str, rng: random.Random) -> Answer:
        return Answer(lessons.solution(name), "solution")

    def equivalent(self, name: str, rng: random.Random) -> Answer:
        cells = self.equivalents.get(name)
        return Answer(rng.choice(cells), "equivalent") if cells else self.solution(name, rng)

    def either(self, name: str, rng: random.Random) -> Answer:
        return rng.choice([self.solution, self.equivalent])(name, rng)

    def misconception(self, name: str, rng: random.Random) -> Answer:
        if not self.misconceptions.get(name):
            return Answer(None, "stub")
        label, source = rng.choice(self.misconceptions[name])
        return Answer(source, f"misconception: {label}")

    def worth(self, name: str, answers: dict[str, Answer]) -> float:
        """The points of an answer, judged in this process, beside the other answers that it calls."""
        from autograder.judge import judge
        from autograder.probe import prober

        if answers[name].source is None:
            return 0.0
        used = [other for other in answers if other in self._used(name, answers)]
        key = (name, tuple(answers[other].source for other in used))
        if key not in self.known:
            namespace: dict = {"__name__": "__main__"}
            for cell in self.assignment.skeleton.cells:
                if "setup" in cell.metadata.get("tags", []):
                    exec(cell.source, namespace)
            for other in used:
                exec(answers[other].source or self.stubs[other], namespace)
            exercise = self.assignment.exercises[name]
            self.known[key] = float(judge(exercise, self.assignment.seeds[name], prober(namespace[name])).score)
        return self.known[key]

    def _used(self, name: str, answers: dict[str, Answer]) -> set[str]:
        """The exercise and those whose answers it calls, and so on."""
        found, waiting = set(), [name]
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.add(each)
                words = set(re.findall(r"\w+", answers[each].source or ""))
                waiting += [other for other in answers if other in words]
        return found


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
