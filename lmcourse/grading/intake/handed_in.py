"""Every file of a zip or a folder, read within limits. Nothing is unpacked: a name from outside never becomes a path."""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

JUNK = {"__MACOSX", ".ipynb_checkpoints", ".DS_Store", "Thumbs.db", "desktop.ini", ".git", "timestamp.txt"}


@dataclass(frozen=True)
class Limits:
    files: int = 10_000
    file_bytes: int = 20 * 2**20
    all_bytes: int = 4 * 2**30


@dataclass(frozen=True)
class Found:
    """A file by the name it had, with its bytes; or without them and with the reason."""

    name: str
    time: str
    data: bytes | None = None
    refused: str | None = None
    passed_over: str | None = None


def files_of(source: Path, limits: Limits) -> Iterator[Found]:
    """Yield every file of a zip or a folder, in the order of their names.

    Raises:
        ValueError: `source` is neither a folder nor a zip that can be read.
    """
    entries = _of_folder(source) if source.is_dir() else _of_zip(source)
    left = limits.all_bytes
    for number, (name, time, problem, size, read) in enumerate(entries):
        path = PurePosixPath(name)
        if number >= limits.files:
            problem = f"there are more than {limits.files} files"
        elif size > limits.file_bytes:
            problem = problem or f"it is {size} bytes large; at most {limits.file_bytes} are read"
        elif size > left:
            problem = problem or f"all files together are larger than {limits.all_bytes} bytes"
        if problem:
            yield Found(name, time, refused=problem)
        elif JUNK & set(path.parts):
            yield Found(name, time, passed_over="the computer's own file, not a person's")
        elif path.suffix.lower() != ".ipynb":
            yield Found(
                name, time, refused=f"it is a {path.suffix or 'nameless'} file, not a notebook (.ipynb)"
            )
        else:
            try:
                # The size that a zip declares may be a lie, so no more than the limit is ever read.
                data = read(min(limits.file_bytes, left) + 1)
            except (OSError, RuntimeError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
                yield Found(name, time, refused=f"it cannot be read ({str(error)[:100]})")
                continue
            if len(data) > min(limits.file_bytes, left):
                left = left if limits.file_bytes < left else 0
                yield Found(name, time, refused="it is larger than it says, and than what is read")
                continue
            left -= len(data)
            yield Found(name, time, data)


def _of_zip(source: Path):
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ValueError(f"'source' must be a folder or a zip, got {source} ({error})") from error
    with archive:
        for info in sorted(archive.infolist(), key=lambda i: i.filename):
            if info.is_dir():
                continue
            try:
                time = datetime(*info.date_time).isoformat()
            except ValueError:
                time = ""
            mode = stat.S_IFMT(info.external_attr >> 16)
            problem = unsafe(info.orig_filename)
            if mode not in (0, stat.S_IFREG):
                problem = "it is a link or a device, not a file"
            elif info.flag_bits & 1:
                problem = "it is encrypted"

            def read(most: int, info: zipfile.ZipInfo = info) -> bytes:
                with archive.open(info) as file:
                    return file.read(most)

            yield info.filename.replace("\\", "/"), time, problem, info.file_size, read


def _of_folder(source: Path):
    for top, folders, names in os.walk(source):
        folders.sort()
        links = [f for f in folders if (Path(top) / f).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(top) / name
            state = path.lstat()
            shown = path.relative_to(source).as_posix().encode("utf-8", "replace").decode()
            time = datetime.fromtimestamp(state.st_mtime).isoformat(timespec="seconds")
            problem = None if stat.S_ISREG(state.st_mode) else "it is a link or a device, not a file"

            def read(most: int, path: Path = path) -> bytes:
                # Not through a link that took the file's place since it was looked at.
                with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
                    return file.read(most)

            yield shown, time, problem, state.st_size, read


def unsafe(name: str) -> str | None:
    """Say what is wrong with a name in a zip, or None.

    >>> unsafe("ada/exercises.ipynb"), unsafe("../x.ipynb")
    (None, 'its name leads outside the folder')
    """
    parts = re.split(r"[/\\]", name)
    if ".." in parts or name[:1] in ("/", "\\") or re.match(r"[A-Za-z]:", name):
        return "its name leads outside the folder"
    if not name.isprintable():
        return "its name holds characters that cannot be shown"
    return "its name is too long" if len(name) > 1000 else None
