"""The host's side of the sandbox: builds it with bubblewrap, starts the zygote, opens one channel per submission.

What student code can see: the system's programs and libraries and this Python's packages, all read-only, and a
staged folder with the probe, the data sets and what earlier lessons' functions are. See SECURITY.md.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
INSIDE = "/attn"  # where the staged folder is mounted
PYTHON = "/attn-python"  # where a Python that lies in /tmp is mounted, since the sandbox has a /tmp of its own
NOBODY = 65534
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt/conda")
HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage"  # the C library looks here before it uses them
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime", "mime.types")
MISSING = """bubblewrap (the program `bwrap`) was not found, and without it a submission would run with your rights.
  Debian, Ubuntu: sudo apt-get install bubblewrap
  Fedora:         sudo dnf install bubblewrap
  conda:          conda install -c conda-forge bubblewrap
Only if you trust every submission: attn grade LESSON --no-sandbox"""
REFUSED = """this machine does not allow what the sandbox needs: {reason}
A user namespace inside the sandbox must be permitted. Look at
  sysctl kernel.unprivileged_userns_clone user.max_user_namespaces kernel.apparmor_restrict_unprivileged_userns
(1, a large number, 0) and, in a container, at its seccomp profile.
Only if you trust every submission: attn grade LESSON --no-sandbox"""


class SandboxError(RuntimeError):
    """The sandbox cannot be had; the message says what to do about it."""


class Dead(Exception):
    """A submission's process gives no more answers; the message says why, for a student to read."""


class Unasked(Dead):
    """It wrote to the grader without having been asked."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Bytes, seconds, counts."""

    memory: int = 2 * 2**30  # on top of what the imports take, for each process and for all of them together
    disk: int = 64 * 2**20  # of /tmp, and the same again of /dev/shm
    processes: int = 64
    cpu_seconds: int = 300
    cell_seconds: float = 30.0
    case_seconds: float = 20.0
    submission_seconds: float = 300.0
    answer_bytes: int = 16 * 2**20
    output_bytes: int = 256 * 2**20  # of all answers together


def find_bwrap() -> str:
    path = shutil.which("bwrap")
    if path is None:
        raise SandboxError(MISSING)
    return path


def stage(folder: Path, lessons: dict[str, str]) -> None:
    """Fill `folder` with all of ours that a submission may see; `lessons`: the source of earlier lessons, by name."""
    package = folder / "autograder"
    package.mkdir(parents=True)
    here = PACKAGE / "grading"
    for name in ("wire.py", "probe.py", "props.py"):
        shutil.copy(PACKAGE / name, package / name)
    if (PACKAGE / "training.py").exists():
        shutil.copy(PACKAGE / "training.py", package / "training.py")
    shutil.copy(here / "standin.py", package / "__init__.py")
    (package / "lessons.json").write_text(json.dumps(lessons))
    for name in ("zygote.py", "jail.py", "runner.py"):
        shutil.copy(here / name, folder / name)
    (folder / "course_datasets").mkdir()
    (folder / "etc").mkdir()
    (folder / "etc" / "passwd").write_text(f"nobody:x:{NOBODY}:{NOBODY}:nobody:/tmp:/bin/sh\n")
    (folder / "etc" / "group").write_text(f"nogroup:x:{NOBODY}:\n")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def command(bwrap: str, staged: Path, datasets: Path | None, control: int, options: dict, root: bool) -> list[str]:
    """The bubblewrap command line that starts a zygote."""
    arguments = [
        bwrap,
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-net",
        "--unshare-cgroup-try",
    ]
    arguments += ["--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"]
    if not root:
        arguments += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    for path in SYSTEM:
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            arguments += ["--ro-bind", path, path]
    arguments += ["--perms", "0755", "--dir", "/etc"]
    for name in ("passwd", "group"):
        arguments += ["--ro-bind", str(staged / "etc" / name), f"/etc/{name}"]
    for name in ETC:
        arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for path in python_folders():
        for parent in reversed(Path(seen_as(path)).parents[:-1]):
            if not _below(str(parent), SYSTEM):
                arguments += ["--perms", "0755", "--dir", str(parent)]
        arguments += ["--ro-bind", path, seen_as(path)]
    for path in map(seen_as, masked_folders()):
        arguments += ["--tmpfs", path, "--remount-ro", path]
    arguments += ["--ro-bind", str(staged), INSIDE]
    if datasets is not None:
        arguments += ["--ro-bind", str(datasets), f"{INSIDE}/course_datasets"]
    for parent in reversed(Path(HUGE_PAGES).parents[:-1]):
        arguments += ["--perms", "0755", "--dir", str(parent)]
    arguments += ["--ro-bind-try", HUGE_PAGES, HUGE_PAGES]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
    arguments += ["--chdir", "/tmp"]
    for name, value in environment().items():
        arguments += ["--setenv", name, value]
    arguments += ["--remount-ro", "/"]
    if root:
        setpriv = shutil.which("setpriv") or "setpriv"
        arguments += [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
        arguments += ["--bounding-set=-all", "--"]
    return [*arguments, seen_as(sys.executable), "-B", "-P", f"{INSIDE}/zygote.py", str(control), json.dumps(options)]


def unprotected_command(staged: Path, datasets: Path | None, control: int, options: dict) -> list[str]:
    """The same without bubblewrap: submissions run with the rights of whoever grades."""
    if datasets is not None:
        (staged / "course_datasets").rmdir()
        (staged / "course_datasets").symlink_to(datasets, target_is_directory=True)
    return [sys.executable, "-B", "-P", str(staged / "zygote.py"), str(control), json.dumps(options)]


def environment() -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    huge_pages = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # a fork then copies a much smaller page table
    common = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "MPLBACKEND": "template"}
    return {**common, **threads, **huge_pages}


def python_folders() -> list[str]:
    """What this Python needs beyond the system's folders."""
    wanted = {sys.prefix, sys.base_prefix, *site.getsitepackages(), sysconfig.get_path("stdlib")}
    wanted = {os.path.realpath(path) for path in wanted} | {sys.prefix, sys.base_prefix}
    outside = sorted(path for path in wanted if os.path.isdir(path) and not _below(path, SYSTEM))
    return [path for path in outside if not _below(path, [other for other in outside if other != path])]


def seen_as(path: str) -> str:
    """Where a file of this Python's lies in the sandbox."""
    for number, folder in enumerate(python_folders()):
        if _below(folder, ["/tmp"]) and _below(path, [folder]):
            return f"{PYTHON}/{number}{path[len(folder) :]}"
    return path


def masked_folders() -> list[str]:
    """Copies of this project among the installed packages, and its checkout where a visible folder contains it."""
    visible = [*SYSTEM, *python_folders()]
    found = [
        path
        for folder in {*site.getsitepackages(), *sys.path}
        for name in ("autograder", "course_datasets")
        if os.path.isdir(path := os.path.join(os.path.realpath(folder or "."), name)) and _below(path, visible)
    ]
    checkout = str(PACKAGE.parent)
    if _below(checkout, visible) and os.path.isdir(os.path.join(checkout, "solutions")):
        if any(_below(path, [checkout]) for path in python_folders()):
            raise SandboxError(f"the Python in use lies around the course's folder {checkout}; use another environment")
        found.append(checkout)
    return sorted(set(found))


def _below(path: str, folders) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


class Zygote:
    """A sandboxed process that has imported what a lesson needs, and forks one jailed child per submission.

    One zygote may serve several worker processes forked after it started: `open` is safe to call from each of them.
    """

    def __init__(
        self,
        imports: list[str],
        lessons: dict[str, str],
        setup: list[str],
        datasets: Path | None = None,
        sandboxed: bool = True,
    ):
        """imports: modules. lessons: earlier lessons' sources. setup: cells to run once, before any submission."""
        bwrap = find_bwrap() if sandboxed else ""
        self.folder = Path(tempfile.mkdtemp(prefix="attn-"))
        self.owner = os.getpid()
        staged = self.folder / "stage"
        stage(staged, lessons)
        self.folder.chmod(0o755)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        options = {"imports": imports, "setup": setup, "jail": sandboxed}
        if sandboxed:
            arguments = command(bwrap, staged, datasets, theirs.fileno(), options, root=os.geteuid() == 0)
        else:
            arguments = unprotected_command(staged, datasets, theirs.fileno(), options)
        self.log = open(self.folder / "log", "w+b")  # noqa: SIM115
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            pass_fds=[theirs.fileno()],
            env={**environment(), "TMPDIR": str(self.folder)},  # bubblewrap drops it
        )
        theirs.close()
        self.ready = False

    def wait_ready(self, seconds: float = 120.0) -> None:
        """Wait until it has imported everything. SandboxError if it does not come up."""
        if self.ready:
            return
        self.control.settimeout(seconds)
        try:
            message = self.control.recv(65536)
        except TimeoutError:
            message = b""
        self.control.settimeout(None)
        if not message:
            self.log.seek(0)
            text = self.log.read().decode(errors="replace").strip()[-2000:]
            self.close()
            raise SandboxError(REFUSED.format(reason=text or "the sandbox did not start"))
        self.ready = True
        failed = json.loads(message)["failed"]
        if failed:
            self.close()
            raise SandboxError(f"the lesson cannot be prepared in the sandbox: {failed}")

    def open(self, limits: Limits) -> "Channel":
        """A fresh jailed child. SandboxError if the machine refuses it."""
        self.wait_ready()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self.control, [json.dumps(asdict(limits)).encode()], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise SandboxError(f"the sandbox is gone: {error}") from None
        return Channel(ours, limits)

    def close(self) -> None:
        self.control.close()
        if os.getpid() == self.owner:
            try:
                self.process.wait(1)  # it ends by itself when nobody holds the other end
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.log.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Channel:
    """The host's end of a submission's channel: questions with deadlines, and the means to end everything behind it."""

    def __init__(self, ours: socket.socket, limits: Limits):
        self.socket = ours
        self.limits = limits
        self.received = 0
        self.pidfd = -1
        ours.settimeout(30)
        try:
            message, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        except (TimeoutError, OSError):
            message, descriptors = b"", []
        if message != b"P" or len(descriptors) != 1:
            reason = ours.recv(500).decode(errors="replace") if message == b"E" else "it did not start a child"
            ours.close()
            raise SandboxError(REFUSED.format(reason=reason))
        ours.setblocking(False)
        self.buffer = bytearray()
        self.pidfd = descriptors[0]
        self.pid = _pid_of(self.pidfd)
        self.end = time.monotonic() + limits.submission_seconds

    def ask(self, body: bytes, seconds: float) -> bytes:
        """Send a question, wait for its answer. Dead if none comes in time, or something else does."""
        deadline = min(time.monotonic() + seconds, self.end)
        try:
            self._demand_silence()
            self._send(len(body).to_bytes(4, "big") + body, deadline)
            while len(self.buffer) < 4:
                self._receive(deadline)
            size = int.from_bytes(self.buffer[:4], "big")
            if size > self.limits.answer_bytes:
                raise Dead(f"its answer has {size} bytes, and {self.limits.answer_bytes} are allowed")
            self.received += size
            if self.received > self.limits.output_bytes:
                raise Dead(f"its answers have more than {self.limits.output_bytes} bytes together")
            while len(self.buffer) < 4 + size:
                self._receive(deadline)
        except OSError:
            raise Dead("its process ended early") from None
        answer = bytes(self.buffer[4 : 4 + size])
        del self.buffer[: 4 + size]
        return answer

    def _demand_silence(self) -> None:
        """Nothing may have come before it was asked for."""
        if not self.buffer:
            try:
                self.buffer += self.socket.recv(1)
            except BlockingIOError:
                return
        raise Unasked("it wrote to the grader unasked") if self.buffer else Dead("its process ended early")

    def _send(self, data: bytes, deadline: float) -> None:
        while data:
            try:
                data = data[self.socket.send(data) :]
            except BlockingIOError:
                select.select([], [self.socket], [], self._left(deadline))
                self._guard()

    def _receive(self, deadline: float) -> None:
        """Wait for some more bytes of an answer."""
        if not select.select([self.socket], [], [], self._left(deadline))[0]:
            self._guard()
            return
        part = self.socket.recv(2**18)
        if not part:
            raise Dead("its process ended early")
        self.buffer += part

    def _left(self, deadline: float) -> float:
        """Seconds to wait before looking again; Dead where there is no time left."""
        now = time.monotonic()
        if now >= deadline:
            raise Dead("it gave no answer in time" if now < self.end else "it used up its time")
        return min(deadline - now, 0.1)

    def _guard(self) -> None:
        """End it if all of its processes together take too much memory."""
        if self.pid and memory_of(self.pid) > self.limits.memory:
            raise Dead(f"it took more than {self.limits.memory // 2**20} MB of memory")

    def close(self) -> None:
        """End the submission and everything that it started; returns when all of it is gone."""
        self.socket.close()
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            select.select([self.pidfd], [], [], 10)
            os.close(self.pidfd)
            self.pidfd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _pid_of(pidfd: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return max(0, int(line.split()[1]))
    return 0


def memory_of(pid: int) -> int:
    """Bytes of private memory of a process and all below it, without what they share with the zygote."""
    total, waiting = 0, [pid]
    while waiting:
        pid = waiting.pop()
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                waiting += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Private_Dirty:", "Swap:")):
                    total += int(line.split()[1]) * 1024
        except (OSError, ValueError):
            continue
    return total
