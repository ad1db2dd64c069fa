"""I05: one run at a time in a results folder."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import threading

import pytest

import doseopt_bayes as dob
from doseopt_bayes import locks
from doseopt_bayes.cli import main
from doseopt_bayes.errors import ResultsError
from doseopt_bayes.locks import LOCK, locked

from .conftest import THALL

HOLD = (
    "import sys, time; from doseopt_bayes.locks import locked\n"
    "with locked(sys.argv[1]): print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds `tmp_path`."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    yield other
    other.kill()
    other.wait()
    other.stdout.close()


def dead_pid() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def left(folder, **changes):
    said = {"pid": dead_pid(), "host": platform.node(), "since": "2026-01-02T03:04:05+00:00"}
    (folder / LOCK).write_text(json.dumps(said | changes), encoding="utf-8")
    return said | changes


def test_i05_a_second_run_is_refused_before_it_samples(holder, tmp_path, trial, capsys):
    assert main(["run", str(THALL), str(trial), "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    for part in (f"'{tmp_path}' is in use", f"process {holder.pid} on host {platform.node()} since 20",
                 "wait for it, or write to another folder", str(tmp_path / LOCK)):  # fmt: skip
        assert part in said
    assert [p.name for p in tmp_path.iterdir()] == [LOCK]
    assert json.loads((tmp_path / LOCK).read_text(encoding="utf-8"))["pid"] == holder.pid


def test_i05_a_notebook_save_is_refused_too(holder, tmp_path, analysis):
    with pytest.raises(ResultsError, match=f"process {holder.pid}"):
        dob.save(analysis, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [LOCK]


def test_i05_a_killed_run_leaves_a_lock_that_is_taken_over_with_a_sentence(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path) as said:
        assert f"left locked by process {holder.pid}" in said
        assert "taken over" in said
        assert json.loads((tmp_path / LOCK).read_text(encoding="utf-8"))["pid"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_i05_the_lock_leaves_no_trace(tmp_path):
    with locked(tmp_path / "new" / "folder") as said:
        assert said == ""
        with locked(
            tmp_path / "new" / "folder"
        ) as again:  # `run` holds it while `save` asks for it
            assert again == ""
        assert (tmp_path / "new" / "folder" / LOCK).exists()
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    with pytest.raises(ValueError, match="mine"), locked(tmp_path):
        raise ValueError("mine")
    assert not (tmp_path / LOCK).exists()


def test_i05_a_lock_of_another_host_is_never_taken_over(tmp_path):
    left(tmp_path, host="cluster-7")
    with pytest.raises(ResultsError, match="on host cluster-7 since 2026-01-02"), locked(tmp_path):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_i05_a_lock_file_that_says_nothing_is_no_lock(tmp_path, text):
    (tmp_path / LOCK).write_text(text, encoding="utf-8")
    with locked(tmp_path) as said:
        assert said == ""


def test_i05_without_locks_of_the_file_system_the_process_number_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_flock", lambda _: None)
    left(tmp_path)
    with locked(tmp_path) as said:
        assert "taken over" in said
    left(tmp_path, pid=os.getppid())
    with pytest.raises(ResultsError, match=f"process {os.getppid()}"), locked(tmp_path):
        pass


def test_i05_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    refusal = pytest.raises(ResultsError, match=r"cannot write in .*file/x.*Not a directory")
    with refusal, locked(tmp_path / "file" / "x"):
        pass


def test_i05_many_at_once_never_overlap(tmp_path):
    """Eight threads take turns; each must find the counter as it left it."""
    counter, inside, wrong = [0], [0], []

    def work():
        done = 0
        while done < 25:
            try:
                with locked(tmp_path / "out"):
                    inside[0] += 1
                    wrong.extend([1] * (inside[0] != 1))
                    counter[0] += 1
                    inside[0] -= 1
                    done += 1
            except ResultsError:
                continue

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert counter == [200]
    assert wrong == []
    assert not (tmp_path / "out" / LOCK).exists()
