"""The course's secret, from which the hidden cases are drawn: a file that only its owner can read."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

NAME = ".attn-secret"


def course_secret(root: Path) -> bytes:
    """The secret of the course in `root`, made if there is none. PermissionError if others could read it."""
    path = root / NAME
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        pass
    else:
        with open(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    mode = path.lstat().st_mode
    if mode & 0o077 or path.is_symlink():
        raise PermissionError(f"{path} can be read by others; make it private (chmod 600 {path}) or remove it")
    return path.read_bytes().strip()


def hidden_seed(secret: bytes, lesson: str, exercise: str) -> int:
    """The seed of an exercise's hidden cases: the same for the whole class, and a grade can be reproduced from it."""
    digest = hmac.new(secret, f"{lesson}/{exercise}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:7], "big")


def seeds(root: Path, lesson: str, exercises, override: int | None = None) -> dict[str, int]:
    """Seeds by exercise: from the course's secret, or from a number given in its place."""
    secret = course_secret(root) if override is None else str(override).encode()
    return {name: hidden_seed(secret, lesson, name) for name in exercises}
