"""Runs a submission's cells and answers the host's questions about what they defined. Runs inside the jail.

Frames in both directions are a 4-byte big-endian length and that many bytes of JSON. The host asks, one question at
a time: {"cell": source} runs a cell; {"name": ...} picks an object from the namespace; {"case": request} has the
probe call the object picked. Nothing here is trusted by the host: this process is the student's.
"""

import contextlib
import io
import os
import socket
import struct
import sys

from autograder import wire
from autograder.probe import prober

CAPTURED_AT_MOST = 20_000


def make_shell():
    """An IPython shell without history, as a kernel's namespace has it."""
    os.environ.setdefault("IPYTHONDIR", "/tmp/ipython")
    from IPython.core.history import HistoryManager
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    HistoryManager.enabled = False

    class Shell(InteractiveShell):
        def enable_gui(self, gui=None):
            """`%matplotlib inline` and its like draw nothing here."""

        def ask_exit(self):
            """`exit` ends a session at a desk, not here."""

        def showtraceback(self, *arguments, **keywords):
            """The error's type and line are told instead."""

        showsyntaxerror = showtraceback

    config = Config()
    config.InteractiveShell.colors = "NoColor"
    config.InteractiveShell.autocall = 0
    config.InteractiveShell.enable_tip = False
    shell = Shell.instance(config=config)
    shell.run_cell("1 + 1", store_history=False)
    return shell


def run_setup(shell, cells: list[str]) -> str:
    """Run the lesson's own first cells; what went wrong, or nothing."""
    for cell in cells:
        result = shell.run_cell(cell, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            return f"{type(error).__name__}: {error} in the cell that begins {cell[:80]!r}"
    return ""


def serve(channel: socket.socket, shell, limits: dict) -> None:
    """Answer the host until it closes the channel."""
    home = os.environ.get("TMPDIR", "/tmp")
    os.environ.clear()
    os.environ.update(HOME=home, TMPDIR=home, PATH="/usr/bin:/bin", LANG="C.UTF-8", MPLBACKEND="template")
    sys.argv[:] = [""]
    sys.path.insert(0, os.getcwd())
    ask = None
    while (frame := receive(channel)) is not None:
        question = wire.loads(frame)
        if "cell" in question:
            answer = run_cell(shell, question["cell"])
        elif "name" in question:
            found = question["name"] in shell.user_ns
            ask = prober(shell.user_ns[question["name"]]) if found else None
            answer = {"found": found}
        else:
            answer = ask(question["case"])
        send(channel, wire.dumps(answer))


def run_cell(shell, source: str) -> dict:
    """Run one cell; what it printed, and the type and line of the error that it raised, if any."""
    printed = Capture()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        result = shell.run_cell(source, store_history=True, silent=False)
        error = result.error_before_exec or result.error_in_exec
    answer = {"printed": printed.getvalue(), "error": None}
    if error is not None:
        answer["error"] = {
            "type": type(error).__name__,
            "message": str(error)[:500],
            "line": error_line(error),
        }
    return answer


def error_line(error: BaseException) -> int | None:
    """The line of the cell that raised."""
    if isinstance(error, SyntaxError):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if "ipykernel" in trace.tb_frame.f_code.co_filename or "<ipython-input" in trace.tb_frame.f_code.co_filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


class Capture(io.StringIO):
    """Keeps the beginning of what is printed and drops the rest."""

    def write(self, text: str) -> int:
        room = CAPTURED_AT_MOST - self.tell()
        if room > 0:
            super().write(text[:room])
        return len(text)


def send(channel: socket.socket, body: bytes) -> None:
    channel.sendall(struct.pack(">I", len(body)) + body)


def receive(channel: socket.socket) -> bytes | None:
    """The next question; the host sends one and waits."""
    data = bytearray()
    while len(data) < 4 or len(data) < 4 + struct.unpack_from(">I", data)[0]:
        part = channel.recv(2**18)
        if not part:
            return None
        data += part
    return bytes(data[4:])
