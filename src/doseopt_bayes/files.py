"""Files that are whole or absent, and that can prove what they are."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

__all__ = ["sha256", "write_whole"]


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file so that a crash leaves the old file or the new one, never half of it.

    Parameters
    ----------
    path
        Final name; its folder exists.
    content
        The bytes.

    Returns
    -------
    Path
        `path`.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        part.chmod(0o644)  # mkstemp makes it unreadable to colleagues
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
