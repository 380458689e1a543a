"""Where this Python is seen in the sandbox, whose /tmp is its own."""

import sys

from autograder.grading import sandbox


def test_a_python_in_tmp_is_mounted_elsewhere(monkeypatch):
    monkeypatch.setattr(sandbox, "python_folders", lambda: ["/opt/python", "/tmp/clone/.venv"])
    assert sandbox.seen_as("/opt/python/bin/python") == "/opt/python/bin/python"
    assert sandbox.seen_as("/tmp/clone/.venv/bin/python") == f"{sandbox.PYTHON}/1/bin/python"
    assert sandbox.seen_as("/tmp/clone/.venv") == f"{sandbox.PYTHON}/1"
    assert sandbox.seen_as("/tmp/clone/course") == "/tmp/clone/course"


def test_the_command_starts_the_python_that_it_mounts(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox, "python_folders", lambda: ["/tmp/clone/.venv"])
    monkeypatch.setattr(sandbox, "masked_folders", lambda: ["/tmp/clone/.venv/autograder"])
    monkeypatch.setattr(sys, "executable", "/tmp/clone/.venv/bin/python")
    told = sandbox.command("bwrap", tmp_path, None, 3, {}, root=False)
    mount = told.index("/tmp/clone/.venv")
    assert told[mount - 1 : mount + 2] == ["--ro-bind", "/tmp/clone/.venv", f"{sandbox.PYTHON}/0"]
    assert f"{sandbox.PYTHON}/0/autograder" in told
    assert told[told.index("-B") - 1] == f"{sandbox.PYTHON}/0/bin/python"
