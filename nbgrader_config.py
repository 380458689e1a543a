"""nbgrader's settings; read by `attn`, `nbgrader` and JupyterLab's formgrader when started in this folder."""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821

# nbgrader calls `alembic` by its bare name; find the one of this environment even where it is not activated.
tools = str(Path(sys.executable).parent)
if tools not in os.environ["PATH"].split(os.pathsep):
    os.environ["PATH"] = tools + os.pathsep + os.environ["PATH"]

# The course and its folders.
c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.CourseDirectory.course_id = "attention"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "course"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.feedback_directory = "feedback"
c.CourseDirectory.directory_structure = "{nbgrader_step}/{student_id}/{assignment_id}"
c.CourseDirectory.db_url = f"sqlite:///{c.CourseDirectory.root}/gradebook.db"

# Where `nbgrader release_assignment`, `fetch`, `submit` and `collect` hand things over, if you use them. On a server
# with many accounts, set ATTN_EXCHANGE to a folder that all of them may write to.
c.Exchange.root = os.environ.get("ATTN_EXCHANGE", f"{c.CourseDirectory.root}/exchange")

# What a student finds in place of a solution.
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.ClearSolutions.text_stub = "*Write your answer here, in place of this line.*"

# A built notebook carries a digest of its cells, so that a later build sees if somebody worked in it.
c.GenerateAssignment.preprocessors.append("autograder.build.Seal")

# ---- the class grader plugs in here ----
from autograder.grading.plugin import configure  # noqa: E402

configure(c)

# ---- end of the class grader's settings ----
