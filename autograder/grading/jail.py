"""The walls around one submission. Runs inside the sandbox; standard library only.

`enter(channel, limits)` is called in a process just forked from the zygote. It returns in a new process that has
namespaces of its own (user, pid, mount, ipc, uts, network), a private /tmp and /dev/shm of limited size, an empty
/proc, no capabilities, no way to get any, resource limits, and one descriptor: the channel. The process tree is

    zygote - (forks, unshares, tells the host who pid 1 is, exits) - pid 1, waits - pid 2, the submission

When pid 1 dies, the kernel kills everything that was ever started below it.
"""

import ctypes
import os
import platform
import resource
import socket
import struct

NOBODY = 65534
WORK = "/tmp/work"

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWTIME = 0x10000000, 0x20000000, 0x40000000, 0x00000080
FRESH = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS
ANY_NEW = FRESH | CLONE_NEWCGROUP | CLONE_NEWTIME

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 16384, 1 << 18
PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_SECCOMP, PR_CAPBSET_DROP = 4, 15, 22, 24
PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 28, 38
SECUREBITS_ALL_LOCKED = 0b101111  # no root privileges from uid 0, no kept capabilities, both locked

libc = ctypes.CDLL(None, use_errno=True)


def enter(channel: socket.socket, limits: dict) -> None:
    """Turn the calling process (a fresh fork, one thread) into a jailed submission. OSError if a wall is refused."""
    _call("unshare", FRESH)
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {NOBODY} 1"),
        ("gid_map", f"{NOBODY} {NOBODY} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)
    gate_read, gate_write = os.pipe()
    first = os.fork()
    if first:
        pidfd = os.pidfd_open(first)
        socket.send_fds(channel, [b"P"], [pidfd])
        os.write(gate_write, b"g")
        os._exit(0)
    os.close(gate_write)
    os.read(gate_read, 1)  # the host can kill us from here on
    os.close(gate_read)
    _mounts(limits)
    _drop_everything()
    second = os.fork()
    if second:
        channel.close()
        _prctl(PR_SET_DUMPABLE, 0)
        while os.waitpid(-1, 0)[0] != second:
            pass
        os._exit(0)
    _limit(limits)
    _close_all_but(channel.fileno())
    os.chdir(WORK)


def pretend(channel: socket.socket, limits: dict) -> None:
    """No walls, for submissions that are trusted: a process and a folder of its own, and limits on it."""
    import tempfile

    first = os.fork()
    if first:
        socket.send_fds(channel, [b"P"], [os.pidfd_open(first)])
        os._exit(0)
    os.setsid()
    work = tempfile.mkdtemp(prefix="attn-")
    _limit({**limits, "processes": resource.getrlimit(resource.RLIMIT_NPROC)[1]})
    _close_all_but(channel.fileno())
    os.chdir(work)


def _mounts(limits: dict) -> None:
    _mount(None, "/", None, MS_REC | MS_PRIVATE, None)
    flags = MS_NOSUID | MS_NODEV
    _mount("tmpfs", "/tmp", "tmpfs", flags, f"size={limits['disk']},nr_inodes=20000,mode=1777")
    _mount("tmpfs", "/dev/shm", "tmpfs", flags, f"size={limits['disk']},nr_inodes=2000,mode=1777")
    _mount("tmpfs", "/proc", "tmpfs", flags | MS_NOEXEC | MS_RDONLY, "size=4k,nr_inodes=2,mode=555")
    os.mkdir(WORK)


def _drop_everything() -> None:
    """No capability now, none after an exec, none through a new namespace."""
    _prctl(PR_SET_SECUREBITS, SECUREBITS_ALL_LOCKED)
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    header = struct.pack("Ii", 0x20080522, 0)
    _call("capset", ctypes.c_char_p(header), ctypes.c_char_p(bytes(24)))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _seccomp()


def _limit(limits: dict) -> None:
    with open("/dev/null", "r+b", buffering=0) as null:
        for descriptor in (0, 1, 2):
            os.dup2(null.fileno(), descriptor)
    for kind, value in (
        (resource.RLIMIT_AS, limits["address_space"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, limits["disk"]),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else hard if value < 0 else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _close_all_but(keep: int) -> None:
    os.closerange(3, keep)
    os.closerange(keep + 1, 65536 if keep < 65535 else keep + 2)


# ---- seccomp: what no lesson needs -----------------------------------------------------------------------------
# name: (x86_64, aarch64); None where the architecture lacks it
DENIED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "quotactl": (179, 60), "acct": (163, 89),
    "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142), "init_module": (175, 105),
    "delete_module": (176, 106), "finit_module": (313, 273), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180), "pidfd_getfd": (438, 438),
    "syslog": (103, 116), "personality": (135, 92), "fanotify_init": (300, 262),
}  # fmt: skip
MACHINES = {
    "x86_64": (0, 0xC000003E, 56, 41),
    "aarch64": (1, 0xC00000B7, 220, 198),
}  # column, audit id, clone, socket
CLONE3 = 435
SOCKET_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
EPERM, ENOSYS = 1, 38
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
LOAD, JEQ, JGE, JSET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


def seccomp_program(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter as (code, jump if true, jump if false, operand) rows. KeyError on an unknown machine."""
    column, audit, clone, make_socket = MACHINES[machine]
    number, architecture, first_argument = 0, 4, 16
    rows = [
        (LOAD, 0, 0, architecture),
        (JEQ, 1, 0, audit),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, number),
        (JGE, 0, 1, 0x40000000),  # the x32 calls of x86_64
        (RETURN, 0, 0, ERRNO | EPERM),
        (JEQ, 0, 1, CLONE3),  # its flags lie in memory that a filter cannot read; libc falls back to clone
        (RETURN, 0, 0, ERRNO | ENOSYS),
        (JEQ, 0, 4, clone),
        (LOAD, 0, 0, first_argument),
        (JSET, 0, 1, ANY_NEW & ~CLONE_NEWTIME),  # CLONE_NEWTIME's bit is part of clone's exit signal
        (RETURN, 0, 0, ERRNO | EPERM),
        (RETURN, 0, 0, ALLOW),
        (JEQ, 0, 3 + len(SOCKET_FAMILIES), make_socket),
        (LOAD, 0, 0, first_argument),
        *((JEQ, len(SOCKET_FAMILIES) - i, 0, family) for i, family in enumerate(SOCKET_FAMILIES)),
        (RETURN, 0, 0, ERRNO | EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    denied = [numbers[column] for numbers in DENIED.values()]
    rows += [(JEQ, len(denied) - i, 0, call) for i, call in enumerate(denied)]
    rows += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERRNO | EPERM)]
    return rows


def _seccomp() -> None:
    rows = seccomp_program(platform.machine())
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
    program = struct.pack("HxxxxxxP", len(rows), ctypes.addressof(code))
    if libc.prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None) -> None:
    source, kind, data = (None if text is None else text.encode() for text in (source, kind, data))
    if libc.mount(source, target.encode(), kind, ctypes.c_ulong(flags), data) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


def _prctl(option: int, value: int) -> None:
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _call(name: str, *arguments) -> None:
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)
