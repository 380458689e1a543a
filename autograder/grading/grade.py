"""`attn grade LESSON`: grade a class, in parallel, sandboxed, into nbgrader's grade book."""

import argparse
import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path

from autograder.cli import ROOT, Problem
from autograder.grading.sandbox import Limits, SandboxError

PR_SET_PDEATHSIG = 1
sys.modules.setdefault("rfc3987_syntax", None)  # jsonschema would build a parser of addresses, for most of a second


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="such as 03_masking")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes; one for each core if not given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to a file")
    parser.add_argument("--seed", type=int, metavar="N", help="draw the hidden cases from N, not the course's secret")
    parser.add_argument("--force", action="store_true", help="grade again what is graded already")
    parser.add_argument(
        "--no-sandbox", action="store_true", help="run submissions with YOUR rights; only if you trust all"
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="grade on a Dask cluster, such as tcp://host:8786")
    parser.add_argument("--course", type=Path, default=ROOT, metavar="FOLDER", help=argparse.SUPPRESS)
    limits = parser.add_argument_group("limits on one submission (bytes, seconds, counts)")
    for limit in fields(Limits):
        option = "--" + limit.name.replace("_", "-")
        limits.add_argument(option, type=type(limit.default), metavar="N", help=f"{limit.default:,} if not given")


def run(args: argparse.Namespace) -> int:
    limits = {f.name: value for f in fields(Limits) if (value := getattr(args, f.name)) is not None}
    grader = None
    try:
        with no_collection():
            grader = ClassGrader(
                args.lesson,
                args.course,
                args.seed,
                Limits(**limits),
                not args.no_sandbox,
                args.force,
                early=not args.scheduler,
            )
        results = grader.grade(args.workers or len(os.sched_getaffinity(0)), args.scheduler)
    except (SandboxError, PermissionError, FileNotFoundError) as error:
        raise Problem(str(error)) from None
    finally:
        if grader is not None:
            grader.close()
    print(table(results.values(), deserved(args.course, args.lesson)))
    if grader.failed:
        print(f"\nNot graded, because the grader itself failed: {', '.join(grader.failed)}. Run it again.")
    if args.json:
        args.json.write_text(json.dumps({"lesson": args.lesson, "results": list(results.values())}, indent=1))
    return int(bool(grader.failed))


@contextlib.contextmanager
def no_collection():
    """For imports: nothing that they make is garbage, and looking for it takes a third as long as they do."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class ClassGrader:
    """Grades a class of one lesson. failed: students left out because the grader itself failed."""

    def __init__(self, lesson: str, root: Path, seed=None, limits=None, sandboxed=True, force=False, early=False):
        self.force = force
        self.failed: list[str] = []
        root = root.resolve()
        self.early = start_early(lesson, root, sandboxed) if early else None
        try:
            self._load(lesson, root, seed, limits, sandboxed)
        except BaseException:
            self.close()
            raise

    def _load(self, lesson: str, root: Path, seed, limits, sandboxed) -> None:
        from nbgrader.coursedir import CourseDirectory
        from traitlets.config import PyFileConfigLoader

        from autograder.grading import assignment, plugin

        self.config = PyFileConfigLoader(str(root / "nbgrader_config.py")).load_config()
        self.config.CourseDirectory.assignment_id = lesson
        self.coursedir = CourseDirectory(config=self.config)
        plugin.install()
        source = Path(self.coursedir.format_path(self.coursedir.source_directory, ".", lesson)) / f"{lesson}.ipynb"
        if not source.exists():
            raise Problem(f"{source} is missing; run `attn build {lesson}` first")
        self.assignment = assignment.load(lesson, source, root, self.config, seed, limits, sandboxed)

    def zygote(self):
        """The one that was started early, if it is right, or a new one."""
        early, self.early = self.early, None
        if early is not None:
            if early[0] == self.assignment.needs:
                return early[1]
            early[1].close()
        return self.assignment.zygote()

    def close(self) -> None:
        if self.early is not None:
            self.early[1].close()

    def grade(self, workers: int, scheduler: str | None = None, progress: bool = True) -> dict[str, dict]:
        """Grade what is left to grade; the summaries of all, by student."""
        from tqdm import tqdm

        from autograder.grading.plugin import RECORD, UNPROTECTED
        from autograder.grading.recorder import Recorder

        if not self.assignment.sandboxed:
            print(UNPROTECTED, file=sys.stderr)
        results: dict[str, dict] = {}
        with Recorder(self.coursedir, self.config, self.force) as recorder:
            students = recorder.students()
            if not students:
                raise Problem(f"nobody has handed in {self.assignment.lesson}")
            due = [student for student in students if recorder.is_due(student)]
            for student in set(students) - set(due):
                results[student] = json.loads((recorder.marked(student) / RECORD).read_text(encoding="utf-8"))
            if len(due) < len(students):
                print(f"{len(students) - len(due)} are graded already; --force grades them again")
            tasks = [(student, str(recorder.submitted(student))) for student in due]
            if scheduler:
                from autograder.grading.cluster import on_cluster

                marking = on_cluster(self.assignment, tasks, scheduler)
            else:
                marking = locally(self.assignment, tasks, workers, self.zygote)
            bar = tqdm(marking, total=len(due), unit="submission", disable=not (progress and due), smoothing=0)
            try:
                for student, marked in bar:
                    if marked is None:
                        self.failed.append(student)
                        continue
                    recorder.record(student, marked)
                    results[student] = marked["summary"]
            except (KeyboardInterrupt, OSError) as trouble:
                bar.close()
                done = len([student for student in due if student in results])
                why = f"stopped ({trouble})" if str(trouble) else "stopped"
                kept = f"{done} of {len(due)} are graded and kept, the next run grades the rest"
                raise Problem(f"{why}; {kept}") from None
            finally:
                marking.close()
        return dict(sorted(results.items()))


def start_early(lesson: str, root: Path, sandboxed: bool):
    """(what it has, zygote), started before the slow imports here; or None if the lesson is not where it usually is."""
    from autograder.grading.needs import needs

    try:
        notebook = json.loads((root / "solutions" / lesson / f"{lesson}.ipynb").read_text(encoding="utf-8"))
        wanted = needs(lesson, notebook["cells"])
    except (OSError, ValueError, KeyError):
        return None
    return wanted, wanted.zygote(sandboxed)


def locally(assignment, tasks: list[tuple[str, str]], workers: int, make_zygote):
    """Mark submissions in worker processes that share one zygote; yields (student, marked or None) as they finish."""
    if not tasks:
        return
    with make_zygote() as zygote:
        prepare(assignment)
        zygote.wait_ready()
        left = tasks
        for _ in range(3):  # a worker that the system killed takes its pool with it
            lost = []
            for task, marked in _in_pool(assignment, zygote, left, max(1, min(workers, len(left)))):
                if marked is None:
                    lost.append(task)
                else:
                    yield task[0], marked
            left = lost
            if not left:
                return
        for student, _ in left:
            yield student, None


def _in_pool(assignment, zygote, tasks, workers: int):
    """Yield (task, marked); None for those that a broken pool lost. At most a few wait in memory."""
    _worker[:] = [assignment, zygote]  # what a fork inherits
    queue, running = list(reversed(tasks)), {}
    with ProcessPoolExecutor(workers, get_context("fork"), initializer=_start_worker) as pool:
        try:
            while queue or running:
                while queue and len(running) < 2 * workers:
                    task = queue.pop()
                    running[pool.submit(_mark_here, *task)] = task
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        raise error
                    if error is not None:
                        print(f"{task[0]}: {type(error).__name__}: {error}", file=sys.stderr)
                    yield task, None if error is not None else future.result()
        except BrokenProcessPool:
            for unfinished in [task, *running.values(), *queue]:
                yield unfinished, None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_worker: list = []


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _mark_here(student: str, folder: str) -> dict:
    assignment, zygote = _worker
    return mark(assignment, zygote, student, assignment.read(Path(folder)))


def mark(assignment, zygote, student: str, submission) -> dict:
    """Grade a submission: its marked notebook as JSON text, and its summary."""
    from autograder.grading.marking import marked_notebook, summary

    began = time.monotonic()
    result = assignment.grade(submission, zygote)
    notebook = marked_notebook(assignment.skeleton, submission, result)
    told = summary(student, submission, result)
    return {"notebook": json.dumps(notebook), "summary": {**told, "seconds": round(time.monotonic() - began, 3)}}


def prepare(assignment) -> None:
    """Work out the expected answers once, before the workers are forked."""
    from autograder.judge import exam

    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # a pool of threads would not survive the fork, and wait for ever
    for name, exercise in assignment.exercises.items():
        exam(exercise, assignment.seeds[name])


def deserved(root: Path, lesson: str) -> dict[str, float]:
    """What the students of a made-up class deserve; empty for a real one."""
    from autograder.grading.sample import deserved_path

    path = deserved_path(root, lesson)
    return {name: told["score"] for name, told in json.loads(path.read_text()).items()} if path.exists() else {}


def table(summaries, deserves: dict[str, float] | None = None) -> str:
    """Student, score, what is deserved if that is known, and what failed."""
    rows = []
    for each in summaries:
        failed = [f"{e['name']} ({', '.join(e['failed'])})" for e in each["exercises"] if e["failed"]]
        if each["problem"]:
            failed = [each["problem"]]
        elif failed and all(e["score"] == 0 for e in each["exercises"]):
            failed = ["everything"]
        score = f"{each['score']:g} / {each['max_score']:g}"
        worth = (deserves or {}).get(each["student"])
        known = (
            [] if not deserves else ["?" if worth is None else f"{worth:g}{'' if worth == each['score'] else ' (!)'}"]
        )
        rows.append((each["student"], score, *known, _short("; ".join(failed))))
    titles = ("student", "score", *(["deserved"] if deserves else []), "what failed")
    widths = [max(len(row[i]) for row in [titles, *rows]) for i in range(len(titles) - 1)]
    lines = [
        "  ".join([f"{row[0]:<{widths[0]}}", *(f"{row[i]:>{widths[i]}}" for i in range(1, len(widths))), row[-1]])
        for row in [titles, *rows]
    ]
    if deserves:
        right = sum(deserves.get(each["student"]) == each["score"] for each in summaries)
        lines.append(f"\n{right} of {len(deserves)} have the score that they deserve")
    return "\n".join(line.rstrip() for line in lines)


def _short(text: str, width: int = 150) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
