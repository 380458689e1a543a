"""How the grader plugs into nbgrader: `configure(c)` in nbgrader_config.py.

`nbgrader autograde`, formgrader's button and `attn grade` all go through nbgrader's own Autograde converter with
these settings: an exporter that reads whatever was handed in and merges it into the instructor's notebook, then

    OverwriteCells (nbgrader's) -> JudgeInSandbox -> SaveAutoGrades, AssignLatePenalties (nbgrader's)

Three of the converter's methods are wrapped, because nbgrader has no setting for them: a submission without a usable
notebook, or with a broken timestamp, must not be left out or end the run for the class, files that were handed in
beside the notebook are not copied next to grades, and a submission whose grading was cut short is graded again.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.converters import Autograde
from nbgrader.converters.base import BaseConverter
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Float, Integer

RECORD = "graded.json"  # written last: a submission without it is not finished
BESIDE = "timestamp.txt"
UNPROTECTED = """
*** WITHOUT A SANDBOX: what students wrote runs with your rights. It can read, change and delete your files, read
*** the solutions and the grade book, and use the network. Do this only with submissions that you trust.
"""


def configure(c) -> None:
    """Settings for nbgrader_config.py."""
    c.Autograde.exporter_class = SubmissionExporter
    c.Autograde.autograde_preprocessors = [
        "nbgrader.preprocessors.OverwriteCells",
        JudgeInSandbox,
        "nbgrader.preprocessors.SaveAutoGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
    ]
    c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", RECORD]
    install()


class JudgeInSandbox(NbGraderPreprocessor):
    """Runs a submission in the sandbox, judges it outside, and writes the scores as outputs of the check cells."""

    sandbox = Bool(True, help="False runs submissions with your own rights: only for those you trust").tag(config=True)
    seed = Integer(None, allow_none=True, help="draw the hidden cases from this, not the course's secret").tag(
        config=True
    )
    memory = Integer(None, allow_none=True, help="bytes for a submission").tag(config=True)
    disk = Integer(None, allow_none=True, help="bytes of /tmp for a submission").tag(config=True)
    processes = Integer(None, allow_none=True, help="processes and threads of a submission").tag(config=True)
    cpu_seconds = Integer(None, allow_none=True, help="CPU seconds of each process").tag(config=True)
    cell_seconds = Float(None, allow_none=True, help="seconds for a cell").tag(config=True)
    case_seconds = Float(None, allow_none=True, help="seconds for a call of a student's function").tag(config=True)
    submission_seconds = Float(None, allow_none=True, help="seconds for a submission").tag(config=True)
    output_bytes = Integer(None, allow_none=True, help="bytes that a submission may answer").tag(config=True)

    def preprocess(self, nb, resources):
        submission = resources["attention"]["submission"]
        if submission is not None:
            marked, resources["attention"]["summary"] = session(self).mark(resources["nbgrader"]["student"], submission)
            metadata = {cell.id: cell.metadata for cell in nb.cells}  # as nbgrader has put it right
            nb.cells = marked.cells
            for cell in nb.cells:
                cell.metadata = metadata.get(cell.id, cell.metadata)
        return nb, resources


class SubmissionExporter(NotebookExporter):
    """Reads whatever was handed in, as the instructor's notebook with the student's answers in it."""

    optimistic_validation = True  # once, at the end

    def from_filename(self, filename, resources=None, **keywords):
        from autograder.grading.marking import marked_notebook
        from autograder.grading.run import Result

        student = resources["nbgrader"]["student"]
        ready = _ready.pop(student, None)
        if ready is not None:
            resources["attention"] = {"submission": None, "summary": ready["summary"]}
            return self.from_notebook_node(nbformat.from_dict(json.loads(ready["notebook"])), resources, **keywords)
        assignment = session(self).assignment
        submission = assignment.read(Path(filename).parent)
        resources["attention"] = {"submission": submission, "summary": None}
        merged = nbformat.from_dict(marked_notebook(assignment.skeleton, submission, Result()))
        return self.from_notebook_node(merged, resources, **keywords)


_ready: dict[str, dict] = {}  # by student: what the class grader has marked already


def hand_over(student: str, marked: dict) -> None:
    """Have the converter take a submission's marked notebook and summary, instead of grading it itself."""
    _ready[student] = marked


class Session:
    """A lesson made ready and its zygote, for one run of the converter."""

    def __init__(self, assignment):
        self.assignment = assignment
        self.zygote = None

    def start(self) -> None:
        if self.zygote is None:
            self.zygote = self.assignment.zygote()
            if not self.assignment.sandboxed:
                print(UNPROTECTED, file=sys.stderr)

    def mark(self, student: str, submission) -> tuple:
        """The marked notebook and the summary of a submission."""
        from autograder.grading.marking import marked_notebook, summary

        self.start()
        result = self.assignment.grade(submission, self.zygote)
        marked = nbformat.from_dict(marked_notebook(self.assignment.skeleton, submission, result))
        return marked, summary(student, submission, result)

    def close(self) -> None:
        if self.zygote is not None:
            self.zygote.close()
            self.zygote = None


_session: list[Session] = []


def session(configurable) -> Session:
    """The session of the run that is going on; opened when it is first needed."""
    if not _session:
        _session.append(Session(load(_converter(configurable).coursedir, configurable.config)))
    return _session[0]


def _converter(configurable):
    while not isinstance(configurable, BaseConverter):
        configurable = configurable.parent
    return configurable


def load(coursedir: CourseDirectory, config):
    """The assignment that a course directory names, with the settings of JudgeInSandbox in `config`."""
    from dataclasses import fields

    from autograder.grading import assignment
    from autograder.grading.sandbox import Limits

    settings = JudgeInSandbox(config=config)
    limits = {f.name: getattr(settings, f.name, None) for f in fields(Limits)}
    lesson = coursedir.assignment_id
    source = Path(coursedir.format_path(coursedir.source_directory, ".", lesson)) / f"{lesson}.ipynb"
    return assignment.load(
        lesson,
        source,
        Path(coursedir.root),
        config,
        settings.seed,
        Limits(**{name: value for name, value in limits.items() if value is not None}),
        settings.sandbox,
    )


# ---- the converter's methods that are wrapped ------------------------------------------------------------------


def install() -> None:
    """Wrap the converter's methods, once."""
    if getattr(Autograde, "_attention", False):
        return
    Autograde._attention = True
    Autograde.init_notebooks = init_notebooks
    Autograde.init_assignment = _init_assignment(Autograde.init_assignment)
    Autograde.init_destination = _init_destination(Autograde.init_destination)
    Autograde.convert_notebooks = _convert_notebooks(Autograde.convert_notebooks)
    Autograde.convert_single_notebook = convert_single_notebook
    Autograde.defer_record = False
    Autograde.finish = finish
    CourseDirectory.get_existing_timestamp = _get_existing_timestamp(CourseDirectory.get_existing_timestamp)


def init_notebooks(self) -> None:
    """Every folder that was handed in counts, whatever is in it."""
    import glob

    from nbgrader.converters.base import NbGraderException

    lesson = self.coursedir.assignment_id
    found = sorted(glob.glob(self._format_source(lesson, self.coursedir.student_id)))
    self.assignments = {folder: [os.path.join(folder, f"{lesson}.ipynb")] for folder in found}
    self.notebooks = []
    if not found:
        message = f"No submissions were matched by {self._format_source(lesson, self.coursedir.student_id)!r}"
        self.log.error(message)
        raise NbGraderException(message)


def _init_assignment(original):
    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """nbgrader's, but of the files beside the notebook only the timestamp is kept."""
        ignored = self.coursedir.ignore
        self.coursedir.ignore = ["*"]
        try:
            original(self, assignment_id, student_id)
        finally:
            self.coursedir.ignore = ignored
        source = Path(self._format_source(assignment_id, student_id)) / BESIDE
        dest = Path(self._format_dest(assignment_id, student_id))
        if source.is_file() and not source.is_symlink() and source.stat().st_size < 1000:
            dest.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, dest / BESIDE)

    return init_assignment


def _init_destination(original):
    def init_destination(self, assignment_id: str, student_id: str) -> bool:
        """nbgrader's; a submission whose grading was cut short is graded again."""
        dest = Path(self._format_dest(assignment_id, student_id))
        if dest.exists() and not (dest / RECORD).exists():
            self.log.warning("Grading of %s was not finished; starting it again", dest)
            shutil.rmtree(dest)
        return original(self, assignment_id, student_id)

    return init_destination


def _convert_notebooks(original):
    def convert_notebooks(self) -> None:
        """nbgrader's, with a session that ends when it does; without a sandbox, nothing is graded."""
        from nbgrader.converters.base import NbGraderException

        from autograder.cli import Problem
        from autograder.grading.sandbox import SandboxError

        try:
            session(self).start()
            original(self)
        except (Problem, SandboxError, PermissionError, FileNotFoundError) as error:
            self.log.error("%s", error)
            raise NbGraderException(str(error)) from None
        finally:
            while _session:
                _session.pop().close()

    return convert_notebooks


def convert_single_notebook(self, notebook_filename: str) -> None:
    """Read, judge, save and write in one go."""
    self.log.info("Grading %s", notebook_filename)
    self.exporter._preprocessors = []
    for each in self.autograde_preprocessors:
        self.exporter.register_preprocessor(each)
    resources = self.init_single_notebook_resources(notebook_filename)
    output, resources = self.exporter.from_filename(notebook_filename, resources=resources)
    self.write_single_notebook(output, resources)
    self.summary = resources["attention"]["summary"]
    if not self.defer_record:
        self.finish(resources["nbgrader"]["student"])


def finish(self, student: str) -> None:
    """Write the record of a submission whose grades are saved."""
    folder = Path(self._format_dest(self.coursedir.assignment_id, student))
    (folder / RECORD).write_text(json.dumps(self.summary, indent=1), encoding="utf-8")


def _get_existing_timestamp(original):
    def get_existing_timestamp(self, dest_path: str):
        """nbgrader's; a timestamp that cannot be read counts as none, where nbgrader would end the whole run."""
        path = Path(dest_path) / BESIDE
        if path.is_symlink() or (path.exists() and (not path.is_file() or path.stat().st_size > 1000)):
            self.log.warning("Not a timestamp: %s", path)
            return None
        try:
            return original(self, dest_path)
        except (SystemExit, AttributeError, ValueError, OverflowError, OSError):
            self.log.warning("Not a timestamp: %s", path)
            return None

    return get_existing_timestamp
