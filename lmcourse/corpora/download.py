"""Larger texts and models from the network, once, with a checksum, and a clear word when there is none."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pooch

CACHE = "LMCOURSE_CACHE"


def cache_folder() -> Path:
    """Return where downloads are kept: the folder in LMCOURSE_CACHE, else the system's cache folder."""
    return Path(os.environ.get(CACHE) or pooch.os_cache("lmcourse"))


def fetch(url: str, sha256: str, *, name: str | None = None, progress: bool = True) -> Path:
    """Return the local path of the file at `url`, downloading it the first time.

    The file is kept only when its SHA-256 is `sha256`; what was downloaded in part or altered is removed.

    Raises:
        ValueError: `sha256` is not 64 hexadecimal digits, or the file has another checksum.
        ConnectionError: the file is not in the cache and cannot be reached.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"'sha256' must be 64 hexadecimal digits in lower case, got {sha256!r}")
    folder = cache_folder()
    name = name or url.rsplit("/", 1)[-1]
    try:
        found = pooch.retrieve(
            url, known_hash=f"sha256:{sha256}", fname=name, path=folder, progressbar=progress
        )
    except ValueError as error:
        raise ValueError(
            f"{url} does not have the expected checksum {sha256}; nothing was kept. {error}"
        ) from error
    except OSError as error:  # requests' errors are OSErrors
        raise ConnectionError(
            f"{url} cannot be reached ({type(error).__name__}). Connect to the network and run again, or put the "
            f"file as {name} into {folder}."
        ) from error
    return Path(found)
