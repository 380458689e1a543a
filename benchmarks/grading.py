"""How long grading a class takes: stock nbgrader against `attn grade`, the same submissions, the same machine.

    python benchmarks/grading.py [--json FILE] [--submissions 40] [--growth 10 100 400]

Stock nbgrader runs with its own defaults and a kernel for each submission; cells that only train or draw are left out
there too, as they are here. Ours runs with the sandbox on. Each is one command, timed from start to end, imports
included. The second table grades larger classes, to show that the time grows in proportion and the memory does not.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import courses  # noqa: E402

from autograder.grading.sample import make_class  # noqa: E402

NUMPY_LESSON, TORCH_LESSON = "02_softmax", "08_sequences"
STOCK_CONFIG = """
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "attention"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "course"
c.CourseDirectory.db_url = "sqlite:///{root}/gradebook.db"
c.Execute.skip_cells_with_tag = "skip-grading"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--submissions", type=int, default=40, metavar="N")
    parser.add_argument("--lessons", nargs="*", default=[NUMPY_LESSON, TORCH_LESSON], metavar="LESSON")
    parser.add_argument("--growth", type=int, nargs="*", default=[10, 100, 400], metavar="N")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    args = parser.parse_args()
    told: dict = {"cores": len(os.sched_getaffinity(0)), "workers": args.workers}
    with tempfile.TemporaryDirectory() as folder:
        titles = f"{'submissions':>12}{'stock (s)':>11}{'ours (s)':>10}{'ratio':>8}"
        print(f"{'lesson':24}{titles}   first / each more (s)   CPU, stock / ours (s)")
        for lesson in args.lessons:
            told[lesson] = compare(Path(folder) / lesson, lesson, args.submissions, args.workers)
        print(f"\n{args.lessons[0]:24}{'submissions':>12}{'ours (s)':>11}{'s each':>10}{'peak memory (MB)':>18}")
        told["growth"] = [grow(Path(folder) / f"growth-{n}", args.lessons[0], n, args.workers) for n in args.growth]
    if args.json:
        args.json.write_text(json.dumps(told, indent=1) + "\n")


def compare(folder: Path, lesson: str, submissions: int, workers: int) -> dict:
    """The same class, graded by both, and how our time divides."""
    ours = a_class(folder / "ours", lesson, submissions)
    stock = folder / "stock"
    shutil.copytree(ours, stock)
    (stock / "nbgrader_config.py").write_text(STOCK_CONFIG.format(root=str(stock)))
    single = folder / "single"
    shutil.copytree(ours, single)
    for extra in sorted((single / "submitted").glob("sample-*"))[1:]:
        shutil.rmtree(extra)
    one = timed(single, *ours_command(single, lesson, workers))[0]
    ours_seconds, ours_cpu, _ = timed(ours, *ours_command(ours, lesson, workers))
    stock_seconds, stock_cpu, _ = timed(stock, sys.executable, "-m", "nbgrader", "autograde", lesson, accept=(0, 1))
    graded = len(list(ours.glob(f"autograded/*/{lesson}/*.ipynb")))
    assert graded == submissions, graded
    each = (ours_seconds - one) / max(1, submissions - 1)
    ratio = stock_seconds / ours_seconds
    seconds = f"{stock_seconds:>11.1f}{ours_seconds:>10.2f}{ratio:>7.1f}x   {one:.2f} / {each:.3f}"
    seconds += f"   {stock_cpu:.1f} / {ours_cpu:.1f}"
    print(f"{lesson:24}{submissions:>12}{seconds}", flush=True)
    return {
        "stock_seconds": round(stock_seconds, 2),
        "ours_seconds": round(ours_seconds, 2),
        "stock_cpu_seconds": round(stock_cpu, 2),
        "ours_cpu_seconds": round(ours_cpu, 2),
        "ratio": round(ratio, 2),
        "submissions": submissions,
        "ours_first_seconds": round(one, 2),
        "ours_each_more_seconds": round(each, 4),
    }


def grow(folder: Path, lesson: str, submissions: int, workers: int) -> dict:
    root = a_class(folder, lesson, submissions)
    seconds, _, peak = timed(root, *ours_command(root, lesson, workers))
    shutil.rmtree(root)
    print(f"{'':24}{submissions:>12}{seconds:>11.2f}{seconds / submissions:>10.3f}{peak / 2**20:>18.0f}", flush=True)
    return {"submissions": submissions, "ours_seconds": round(seconds, 2), "peak_bytes": peak}


def a_class(root: Path, lesson: str, submissions: int) -> Path:
    courses.make_course(root, lesson)
    make_class(lesson, submissions, 0, root)
    return root


def ours_command(root: Path, lesson: str, workers: int) -> list[str]:
    return [sys.executable, "-m", "autograder", "grade", lesson, "--course", str(root), "--workers", str(workers)]


def timed(folder: Path, *command: str, accept: tuple = (0,)) -> tuple[float, float, int]:
    """Seconds that a command takes, on the clock and of CPU, and the peak of the memory that all of it holds."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    peak = [0]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    watcher = threading.Thread(target=watch, args=(process, peak), daemon=True)
    watcher.start()
    errors = process.communicate()[1]
    seconds = time.perf_counter() - began
    if process.returncode not in accept:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return seconds, cpu, peak[0]


def watch(process: subprocess.Popen, peak: list[int]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], held(process.pid))
        time.sleep(0.5)


def held(pid: int) -> int:
    """Bytes that a process and all below it hold, shared pages counted once."""
    total, waiting = 0, [pid]
    while waiting:
        each = waiting.pop()
        try:
            for task in os.listdir(f"/proc/{each}/task"):
                waiting += map(int, Path(f"/proc/{each}/task/{task}/children").read_text().split())
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except (OSError, ValueError):
            continue
    return total


if __name__ == "__main__":
    main()
