"""The same grading on a Dask cluster: `attn grade LESSON --scheduler tcp://host:8786`.

Each task is one submission: the lesson (as plain data), the seeds, the limits and the bytes that were handed in go to
a worker, the marked notebook comes back. A worker keeps one zygote for each lesson. The grade book stays here.
"""

import json
from dataclasses import asdict, dataclass

import nbformat

from autograder.grading.assignment import Assignment, exercises_of
from autograder.grading.sandbox import Limits, SandboxError

RETRIES = 5


@dataclass(frozen=True)
class Job:
    """What a worker must know of a lesson."""

    lesson: str
    skeleton: str
    seeds: tuple
    limits: tuple
    sandboxed: bool

    @classmethod
    def of(cls, assignment: Assignment) -> "Job":
        limits = tuple(asdict(assignment.limits).items())
        skeleton = json.dumps(assignment.skeleton)
        return cls(assignment.lesson, skeleton, tuple(assignment.seeds.items()), limits, assignment.sandboxed)

    def assignment(self) -> Assignment:
        skeleton = nbformat.from_dict(json.loads(self.skeleton))
        exercises = exercises_of(self.lesson, [name for name, _ in self.seeds])
        limits = Limits(**dict(self.limits))
        return Assignment(self.lesson, skeleton, exercises, dict(self.seeds), limits, self.sandboxed)


_kept: dict[Job, tuple] = {}


def mark_here(job: Job, student: str, handed_in: tuple) -> dict:
    """A task: runs on a worker."""
    from autograder.grading.grade import mark

    for attempt in range(2):
        if job not in _kept:
            assignment = job.assignment()
            _kept[job] = (assignment, assignment.zygote())
        assignment, zygote = _kept[job]
        try:
            return mark(assignment, zygote, student, assignment.understand(*handed_in))
        except SandboxError:
            _kept.pop(job)[1].close()
            if attempt:
                raise


def on_cluster(assignment: Assignment, tasks: list[tuple], scheduler: str):
    """Yield (student, marked or None) as they finish. A few for each worker are under way at a time."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise SandboxError("a scheduler needs Dask: pip install 'attention-from-scratch[cluster]'") from None

    job, queue = Job.of(assignment), list(reversed(tasks))
    try:
        client = Client(scheduler, timeout="20s")
    except OSError as error:
        raise SandboxError(f"no Dask scheduler answers at {scheduler}: {error}") from None
    with client:
        shared = client.scatter(job, broadcast=True)
        names: dict[str, str] = {}

        def submit(task):
            student, folder = task
            handed_in = assignment.collect(folder)
            future = client.submit(mark_here, shared, student, handed_in, retries=RETRIES, pure=False)
            names[future.key] = student
            return future

        def more(count: int) -> list:
            return [submit(queue.pop()) for _ in range(min(count, len(queue)))]

        threads = sum(client.nthreads().values()) or 1
        running = as_completed(more(3 * threads))
        for future in running:
            student = names.pop(future.key)
            error = future.exception()
            if error is not None:
                client.log_event("attn", f"{student}: {type(error).__name__}: {error}")
            yield student, None if error is not None else future.result()
            future.release()
            running.update(more(1))
