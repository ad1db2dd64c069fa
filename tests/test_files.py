"""A file is the old one or the new one, never half of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from doseopt_bayes.files import sha256, write_whole


def test_written_files_are_whole_and_readable(tmp_path):
    path = write_whole(tmp_path / "a.bin", b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o444 == 0o444
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    assert sha256(path) == "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437"


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    path = write_whole(tmp_path / "a.bin", b"old")
    with pytest.raises(TypeError):
        write_whole(path, "text is not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_killed_write_leaves_the_old_file(tmp_path):
    path = write_whole(tmp_path / "a.bin", b"old")
    code = (
        "import os, pathlib, signal; from doseopt_bayes import files; "
        "files.os.fsync = lambda f: os.kill(os.getpid(), signal.SIGKILL); "
        f"files.write_whole(pathlib.Path({str(path)!r}), b'new' * 10**6)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert path.read_bytes() == b"old"
