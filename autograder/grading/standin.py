"""What `autograder` is inside the sandbox: the names that a lesson imports, with nothing behind them."""

import json
import sys
from functools import cache
from pathlib import Path
from types import ModuleType


class CheckFailed(AssertionError):
    """Never raised here: grades are computed elsewhere."""


def check(name, student_object=None):
    """Does nothing: grades are computed elsewhere."""


def assess(name, student_object=None, seed=None):
    """Does nothing: grades are computed elsewhere."""


def hint(name=None):
    """Does nothing: hints are at your own desk."""


def reveal(name=None):
    """Does nothing: solutions are at your own desk."""


def progress():
    """Does nothing: progress is kept at your own desk."""


@cache
def lesson(name):
    """What an earlier lesson built. Later ones are not here."""
    sources = json.loads((Path(__file__).parent / "lessons.json").read_text())
    if name not in sources:
        raise ValueError(f"lesson: {name!r} is not an earlier lesson; there are {', '.join(sources) or 'none'}")
    module = ModuleType(f"lesson_{name}")
    sys.modules[module.__name__] = module
    exec(compile(sources[name], f"<lesson {name}>", "exec"), module.__dict__)
    return module
