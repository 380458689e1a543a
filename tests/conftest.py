"""What all tests share. Set before NumPy and PyTorch are imported: one thread each, since tests run side by side."""

import os
import shutil
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

ROOT = Path(__file__).resolve().parent.parent


# These files grade a class or start a browser once for all their tests: one process runs all of such a file.
TOGETHER = {"test_attacks", "test_browser", "test_grading"}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def require(found: object, what: str) -> None:
    """Skip a test that needs something of the system which is not there; where CI is set, fail instead."""
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is needed; README.md says how to install it")


def make_house(folder: Path, patch: pytest.MonkeyPatch, lesson: str = "00_welcome") -> Path:
    """A course of one lesson in a folder of its own; `attn build` works on it while `patch` lasts."""
    from autograder import build, lessons

    (folder / "solutions").mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / f"{lesson}.py", folder / "solutions")
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    patch.setattr(lessons, "SOLUTIONS", folder / "solutions")
    patch.setattr(build, "ROOT", folder)
    return folder


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory):
    """Progress and Jupyter's settings of the person who runs the tests are left alone."""
    home = tmp_path_factory.mktemp("home")
    places = {"ATTN_HOME": "attn", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython"}
    with pytest.MonkeyPatch.context() as patch:
        for name, folder in places.items():
            patch.setenv(name, str(home / folder))
        yield home
