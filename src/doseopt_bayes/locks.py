"""One run at a time in a results folder: a lock file that says who holds it."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import platform
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from doseopt_bayes.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LOCK", "locked"]

LOCK: Final = ".doseopt.lock"
HELD: Final[set[tuple[Path, int, int]]] = set()  # folder, process, thread


@contextmanager
def locked(folder: str | Path) -> Iterator[str]:
    """Hold a results folder for as long as the block lasts; the folder is made when there is none.

    Parameters
    ----------
    folder
        Results folder. A block within a block of the same thread holds it already.

    Yields
    ------
    str
        Empty, or a sentence: that the lock of a run that has ended was taken over.

    Raises
    ------
    ResultsError
        When another run holds the folder, naming its process, host and start; or when the folder
        cannot be written.

    Notes
    -----
    The system's own lock (flock) ends with its process, however that ends. Where a file system has
    none, or shares none between hosts, what the lock file says decides.
    """
    folder = Path(folder)
    key = (folder.resolve(), os.getpid(), threading.get_ident())
    if key in HELD:
        yield ""
        return
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, said = _take(path)
    except OSError as e:
        raise ResultsError(
            f"cannot write in '{folder}': {e.strerror}", hint="name a folder that you may write to"
        ) from e
    HELD.add(key)
    try:
        yield said
    finally:
        HELD.discard(key)
        path.unlink(missing_ok=True)
        os.close(handle)


def _take(path: Path) -> tuple[int, str]:
    """Open the lock file and own it; refuse when another run does."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            free = _flock(handle)
            holder = _holder(handle)
            _refuse_two(path, holder, free=free)
            # the holder may have left, and taken its file with it, after this one was opened
            if not _still(path, handle):
                os.close(handle)
                continue
            os.ftruncate(handle, 0)
            os.pwrite(handle, _me(), 0)
        except BaseException:
            os.close(handle)
            raise
        return handle, _took_over(path, holder) if holder else ""


def _flock(handle: int) -> bool | None:
    """Whether the system's lock was free; ``None`` where the file system has none."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _still(path: Path, handle: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


def _me() -> bytes:
    since = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": platform.node(), "since": since}).encode()


def _holder(handle: int) -> dict[str, object]:
    """Return what the lock file says; empty when it says nothing."""
    try:
        said = json.loads(os.pread(handle, 4096, 0))
    except ValueError:
        return {}
    return said if isinstance(said, dict) and {"pid", "host", "since"} <= set(said) else {}


def _gone(holder: dict[str, object], *, known: bool) -> bool:
    """Whether the run that wrote the file has ended; `known`: the system's lock says so."""
    pid = holder["pid"]
    if holder["host"] != platform.node() or not isinstance(pid, int):
        return False
    if known:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _words(holder: dict[str, object]) -> str:
    return f"process {holder['pid']} on host {holder['host']} since {holder['since']}"


def _refuse_two(path: Path, holder: dict[str, object], *, free: bool | None) -> None:
    if free is not False and (not holder or _gone(holder, known=free is True)):
        return
    who = _words(holder) if holder else "another run that has just begun"
    raise ResultsError(
        f"'{path.parent}' is in use by {who}",
        hint=f"wait for it, or write to another folder; if that run is gone, delete {path}",
    )


def _took_over(path: Path, holder: dict[str, object]) -> str:
    return f"'{path.parent}' was left locked by {_words(holder)}, which has ended: taken over"
