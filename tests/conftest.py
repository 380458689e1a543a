"""What all tests share. Set before NumPy and PyTorch are imported: one thread each, since tests run side by side."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

ROOT = Path(__file__).resolve().parent.parent


def require(found: object, what: str) -> None:
    """Skip a test that needs something of the system which is not there; where CI is set, fail instead."""
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is needed; README.md says how to install it")


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory):
    """Progress and Jupyter's settings of the person who runs the tests are left alone."""
    home = tmp_path_factory.mktemp("home")
    places = {"ATTN_HOME": "attn", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython"}
    with pytest.MonkeyPatch.context() as patch:
        for name, folder in places.items():
            patch.setenv(name, str(home / folder))
        yield home
