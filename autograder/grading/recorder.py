"""The one writer: puts marked notebooks and their scores where nbgrader keeps them, by nbgrader's own code.

Opening the grade book and committing each cell is most of what that code costs; here it is opened once, and each
submission is one transaction.
"""

import logging
import warnings
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

from nbconvert.writers import FilesWriter
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning

from autograder.grading import plugin

USERS = (
    "nbgrader.converters.autograde",
    "nbgrader.preprocessors.overwritecells",
    "nbgrader.preprocessors.saveautogrades",
    "nbgrader.preprocessors.latesubmissions",
)


class OpenGradebook(Gradebook):
    """A grade book that stays open, and commits when it is told to."""

    def __init__(self, db_url: str, course_id: str):
        super().__init__(db_url, course_id)
        self.db.commit()
        self.db.commit = self.db.flush
        self.db().expire_on_commit = False  # nobody else writes while we do
        self.find_source_cell = lru_cache(maxsize=None)(self.find_source_cell)  # these stay as they are
        self.find_graded_cell = lru_cache(maxsize=None)(self.find_graded_cell)

    def close(self) -> None:
        """Stay open."""

    def save(self) -> None:
        self.db().commit()

    def undo(self) -> None:
        self.db().rollback()

    def shut(self) -> None:
        super().close()


class Recorder:
    """Writes submissions one at a time; use it as a context manager."""

    def __init__(self, coursedir: CourseDirectory, config, force: bool):
        self.coursedir = coursedir
        self.converter = Autograde(coursedir=coursedir, config=config)
        self.converter.force = force
        self.converter.defer_record = True  # until the grades are saved
        self.converter.log = logging.getLogger("attn.grade")
        self.converter.log.setLevel(logging.ERROR)
        self.coursedir.log = self.converter.log

    def __enter__(self) -> "Recorder":
        converter = self.converter
        converter.writer = FilesWriter(parent=converter, config=converter.config)
        converter.exporter = converter.exporter_class(parent=converter, config=converter.config)
        self.book = OpenGradebook(self.coursedir.db_url, self.coursedir.course_id)
        self.patches = ExitStack()
        for module in USERS:
            self.patches.enter_context(patch(f"{module}.Gradebook", lambda *_, **__: self.book))
        return self

    def __exit__(self, *_) -> None:
        self.patches.close()
        self.book.shut()

    def students(self) -> list[str]:
        """Everyone who handed something in, in order."""
        pattern = self.coursedir.format_path(self.coursedir.submitted_directory, "*", self.coursedir.assignment_id)
        parts = Path(pattern).parts
        place = parts.index("*")
        root = Path(*parts[:place])
        return sorted(path.parts[place] for path in root.glob(str(Path(*parts[place:]))))

    def submitted(self, student: str) -> Path:
        return Path(
            self.coursedir.format_path(self.coursedir.submitted_directory, student, self.coursedir.assignment_id)
        )

    def marked(self, student: str) -> Path:
        return Path(
            self.coursedir.format_path(self.coursedir.autograded_directory, student, self.coursedir.assignment_id)
        )

    def is_due(self, student: str) -> bool:
        """Whether it is still to be graded; what an earlier grading left of it is removed if so."""
        path = str(self.submitted(student) / f"{self.coursedir.assignment_id}.ipynb")
        self.converter.notebooks = [path]
        return self.converter.init_destination(self.coursedir.assignment_id, student)

    def record(self, student: str, marked: dict) -> None:
        """Keep a marked notebook (JSON text) and its scores."""
        converter, lesson = self.converter, self.coursedir.assignment_id
        path = str(self.submitted(student) / f"{lesson}.ipynb")
        converter.notebooks = [path]
        plugin.hand_over(student, marked)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SAWarning)  # about nbgrader's own order of adding things
                self._record(student, path)
        except BaseException:
            self.book.undo()
            raise

    def _record(self, student: str, path: str) -> None:
        converter, lesson = self.converter, self.coursedir.assignment_id
        converter.run_pre_convert_hook()
        converter.init_assignment(lesson, student)
        converter.convert_single_notebook(path)
        self.book.save()
        converter.finish(student)
        converter.set_permissions(lesson, student)
        converter.run_post_convert_hook()
