"""`attn report LESSON`: how the class did, exercise by exercise, and what most went wrong."""

import argparse
import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from autograder.cli import ROOT, Problem

SHOWN = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="such as 03_masking")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write; reports/ if not given")
    parser.add_argument("--course", type=Path, default=ROOT, metavar="FOLDER", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> None:
    rows = overview(summaries(args.course, args.lesson))
    folder = args.output or args.course / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    print(table(rows))
    write_csv(rows, folder / f"{args.lesson}.csv")
    draw(rows, args.lesson, folder / f"{args.lesson}.png")
    print(f"\n{folder / args.lesson}.csv and .png hold the same as a table and as a figure")


@dataclass
class Row:
    """One exercise. passed: students with full marks. mean: the mean share of its points."""

    exercise: str
    students: int
    passed: int
    tried: int
    mean: float
    aspects: list[tuple[str, int]]
    mistakes: list[tuple[str, int]]

    @property
    def rate(self) -> float:
        return self.passed / self.students


def summaries(root: Path, lesson: str) -> list[dict]:
    """What the grader wrote about each student; Problem if nothing is graded yet."""
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import PyFileConfigLoader

    from autograder.grading.plugin import RECORD

    config = PyFileConfigLoader(str(root / "nbgrader_config.py")).load_config()
    coursedir = CourseDirectory(config=config)
    folder = Path(coursedir.format_path(coursedir.autograded_directory, "*", lesson))
    found = sorted(Path(folder.anchor).glob(str(folder.relative_to(folder.anchor) / RECORD)))
    if not found:
        raise Problem(f"no submission of {lesson} is graded yet; run `attn grade {lesson}`")
    return [json.loads(path.read_text(encoding="utf-8")) for path in found]


def overview(results: list[dict]) -> list[Row]:
    """A row for each exercise, in the lesson's order."""
    rows = []
    for place, first in enumerate(results[0]["exercises"]):
        every = [result["exercises"][place] for result in results]
        failed = [each for each in every if each["failed"]]
        named = Counter(each["misconception"] for each in failed if each["misconception"])
        tried = [each for each in every if "is not written yet" not in each["message"]]
        rows.append(
            Row(
                first["name"],
                len(every),
                len(every) - len(failed),
                len(tried),
                sum(each["score"] / each["max_score"] for each in every) / len(every),
                Counter(aspect for each in failed for aspect in each["failed"]).most_common(),
                named.most_common(),
            )
        )
    return rows


def table(rows: list[Row]) -> str:
    width = max(len(row.exercise) for row in rows)
    lines = [f"{'exercise':<{width}}  passed        tried  points  commonest misconceptions"]
    for row in rows:
        mistakes = "; ".join(f"{name} ({count})" for name, count in row.mistakes[:SHOWN]) or "-"
        share = f"{row.passed:>3} of {row.students:<3} {row.rate:>4.0%}"
        lines.append(f"{row.exercise:<{width}}  {share}  {row.tried:>5}  {row.mean:>6.0%}  {mistakes}")
    return "\n".join(lines)


def write_csv(rows: list[Row], path: Path) -> None:
    """One line for each exercise; lists are written as "name (count); ...", commonest first."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["exercise", "students", "tried", "passed", "pass_rate", "mean_points", "aspects", "misconceptions"]
        )
        for row in rows:
            lists = ["; ".join(f"{name} ({count})" for name, count in items) for items in (row.aspects, row.mistakes)]
            writer.writerow(
                [row.exercise, row.students, row.tried, row.passed, f"{row.rate:.3f}", f"{row.mean:.3f}", *lists]
            )


def draw(rows: list[Row], lesson: str, path: Path) -> None:
    """A bar for each exercise: passed, partly right, nothing right, with its commonest misconception beside it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.2 + 0.5 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    names = [row.exercise for row in rows]
    passed = [row.rate for row in rows]
    partly = [max(0.0, row.tried / row.students - row.rate) for row in rows]
    axes.barh(names, passed, color="#00224e", label="full marks")
    axes.barh(names, partly, left=passed, color="#a69d75", hatch="//", label="tried, something wrong")
    for place, row in enumerate(rows):
        if row.mistakes:
            name, count = row.mistakes[0]
            axes.text(1.02, place, f"{name} ({count})", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="share of the class", title=f"{lesson}: {rows[0].students} students")
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.12 if len(rows) < 4 else 1.08), ncols=2, frameon=False)
    axes.text(1.02, -0.8, "commonest misconception", fontsize=8, style="italic")
    figure.savefig(path, dpi=120)
