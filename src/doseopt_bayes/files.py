"""Files that are whole or absent, and that can prove what they are."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from doseopt_bayes.errors import ResultsError

__all__ = ["sha256", "sweep", "write_whole"]

PART: Final = ".doseopt-part"  # what a killed write leaves has this suffix
FULL: Final = "free that much space, or name a folder on another disk"
FORBIDDEN: Final = "name a folder that you may write to"
REPAIRS: Final = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: FORBIDDEN,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
}


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

    Raises
    ------
    ResultsError
        When it cannot be written, for example on a full disk; naming the file and its size.
    """
    try:
        return _replace(path, content)
    except OSError as e:
        raise ResultsError(
            f"cannot write '{path}' ({len(content):,} bytes): {e.strerror or e}",
            hint=REPAIRS.get(e.errno or 0, "name another folder"),
        ) from e


def _replace(path: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
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


def sweep(folder: Path) -> None:
    """Remove the unfinished files that killed writes left in a folder that no other run writes to."""
    for part in folder.glob(f".*{PART}"):
        part.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
