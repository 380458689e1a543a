"""Fetching files: resumed after a cut line, checked by SHA-256, kept in a cache."""

from __future__ import annotations

import hashlib
import os
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path


class DownloadError(OSError):
    """A file could not be fetched, or is not the one that was expected; the message says what to do."""


def cache_dir() -> Path:
    """Where downloads are kept: $ATTN_DATA, else the user's cache directory."""
    if os.environ.get("ATTN_DATA"):
        return Path(os.environ["ATTN_DATA"]).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("attention-from-scratch")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fetch(
    url: str,
    path: Path,
    checksum: str,
    progress: bool = True,
    attempts: int = 4,
    timeout: float = 20.0,
    wait: float = 1.0,
) -> Path:
    """Downloads `url` to `path`, and returns `path`. A file that is already there and right is kept.

    What arrives is written to `path` + ".part"; a cut line, now or in an earlier run, is taken up where it
    ended. Only a file whose SHA-256 is `checksum` is moved to `path`. Raises DownloadError when the server
    cannot be reached or refuses, or when the bytes are wrong.
    """
    path = Path(path)
    if path.exists():
        if sha256(path) == checksum:
            return path
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    restarted = False
    failure: Exception | None = None
    for attempt in range(attempts):
        if attempt:
            time.sleep(wait * 2 ** (attempt - 1))
        try:
            complete = _receive(url, part, progress, timeout)
        except urllib.error.HTTPError as error:
            if error.code == 416 and part.exists():  # nothing is left to send
                complete = True
            elif error.code in (408, 425, 429) or error.code >= 500:
                failure = error
                continue
            else:
                raise DownloadError(
                    f"{url} answered {error.code} ({error.reason}): the file is not there, or has moved. "
                    f"Give a directory that has it (data_dir=..., --data DIR) or another address (base_url=...)."
                ) from error
        except (OSError, HTTPException) as error:
            failure = error
            continue
        if not complete:
            failure = OSError("the line was cut")
            continue
        found = sha256(part)
        if found == checksum:
            part.replace(path)
            return path
        part.unlink()
        if restarted:
            raise DownloadError(
                f"{url} is not the file that was expected: its SHA-256 is {found}, not {checksum}. Nothing was kept."
            )
        restarted = True
        failure = OSError("the checksum was wrong")
    raise DownloadError(
        f"could not fetch {url} ({failure}). Without a network, copy the file from another machine to {path}, "
        f"or give a directory that has it (data_dir=..., --data DIR). What had arrived is kept and taken up "
        f"at the next try."
    ) from failure


def _receive(url: str, part: Path, progress: bool, timeout: float) -> bool:
    """Appends what is missing to `part`; False when the server sent less than it announced."""
    from tqdm.auto import tqdm

    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        if have and response.status != 206:  # the server sends the whole file again
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None else None
        with (
            open(part, "ab" if have else "wb") as file,
            tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem, disable=not progress) as bar,
        ):
            while block := response.read(1 << 16):
                file.write(block)
                bar.update(len(block))
    return total is None or part.stat().st_size == total
