"""I07, I08: blocks run anywhere with the same bits, and none that fails is hidden."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from doseopt_bayes.design import executor, simulate
from doseopt_bayes.design.journal import digest
from doseopt_bayes.design.scenario import Scenario
from doseopt_bayes.errors import DoseOptError

from .small_runs import BLOCK, RISING, TOXIC, blocks_of, plain, run


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(simulate, "BLOCK", BLOCK)


def test_i07_a_block_that_raises_is_named_with_its_seed_and_the_rest_is_kept(tmp_path, monkeypatch):
    real = executor.simulate_blocks

    def breaks(decider, scenarios, blocks, tell):
        if any(block.place == (0, 1) for block in blocks):
            raise FloatingPointError("trial 17")
        return real(decider, scenarios, blocks, tell)

    monkeypatch.setattr(executor, "simulate_blocks", breaks)
    with pytest.raises(DoseOptError) as e:
        run(tmp_path)
    for part in (
        "INCOMPLETE: 1 of 3 blocks failed",
        (
            "scenario 'rising', block 1 (10 trials, seed SeedSequence(1, spawn_key=(0, 1))): "
            "FloatingPointError: trial 17"
        ),
        f"the others are kept in '{tmp_path}': resume",
    ):
        assert part in str(e.value)
    assert [p.name for p in blocks_of(tmp_path)] == ["000-0000.npz", "000-0002.npz"]
    monkeypatch.setattr(executor, "simulate_blocks", real)
    assert digest(run(tmp_path, resume=True)) == digest(plain())


def test_i07_of_many_failures_three_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "simulate_blocks", lambda *_: 1 / 0)
    with pytest.raises(DoseOptError, match=r"5 of 5 blocks failed[\s\S]*\.\.\. 3 of 5 shown"):
        run(tmp_path, n_trials=50)


@dataclass(frozen=True)
class Broken(Scenario):
    """A truth that breaks in any other process than `home`."""

    home: int = 0
    how: str = "raises"

    def cells(self):
        if os.getpid() != self.home:
            if self.how == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            raise FloatingPointError("no truth here")
        return super().cells()


def broken(how):
    return Broken("broken", RISING.p_tox, RISING.p_eff, home=os.getpid(), how=how)


@pytest.mark.slow
def test_i08_two_processes_give_the_digest_of_one_and_name_what_fails(tmp_path):
    both = [RISING, TOXIC]
    two = run(tmp_path / "two", both, workers=2)
    assert digest(two) == digest(plain(both))
    with pytest.raises(DoseOptError) as e:
        run(tmp_path / "raises", [RISING, broken("raises")], n_trials=10, workers=2)
    assert "1 of 2 blocks failed" in str(e.value)
    assert "'broken', block 0 (10 trials, seed SeedSequence(1, spawn_key=(1, 0))): Floating" in str(e.value)  # fmt: skip
    assert [p.name for p in blocks_of(tmp_path / "raises")] == ["000-0000.npz"]


FOLLOWER = """
import os, sys
from doseopt_bayes.design import executor
executor.run_group = lambda run, *_: print(run, os.getpid(), flush=True)
if os.fork():
    sys.stdin.readline()  # until it is killed
else:
    executor._for(os.getppid(), "follows", None, None)
    executor.time.sleep(60)
"""


def test_i01_workers_end_with_the_process_that_they_work_for():
    """Without this, those of a killed run keep their memory for five minutes."""
    home = subprocess.Popen([sys.executable, "-c", FOLLOWER], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert home.stdout.readline().startswith("follows")
    start = time.monotonic()
    home.kill()
    home.wait()
    assert home.stdout.readline() == ""  # the pipe closes when the worker is gone
    assert time.monotonic() - start < 10
    home.stdout.close()
    home.stdin.close()


@pytest.mark.filterwarnings("ignore:A worker stopped:UserWarning")
def test_i07_a_worker_that_is_killed_is_said(tmp_path):
    with pytest.raises(DoseOptError, match=r"a worker process was killed[\s\S]*fewer than 2 work"):
        run(tmp_path, [broken("dies"), RISING], n_trials=10, workers=2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"workers": 0}, "workers = 0 must be"),
        ({"workers": True}, "workers = True must be"),
        ({"threads": -1}, "threads = -1 must be"),
        ({"particles": 100}, "particles = 100 must be a whole number >= 256"),
        ({"seed": -1}, "seed = -1"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:8786"}, "are two places"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(tmp_path, wrong, said):
    with pytest.raises(DoseOptError, match=said):
        run(tmp_path / "oc", **wrong)
    assert not (tmp_path / "oc").exists()


def test_a_scheduler_without_dask_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DoseOptError, match=r"Dask, which is not installed[\s\S]*pip install dist"):
        run(tmp_path / "oc", scheduler="tcp://127.0.0.1:8786")
    assert not (tmp_path / "oc").exists()


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="no Dask here")
@pytest.mark.filterwarnings("default")  # Dask's own
def test_i08_a_local_cluster_gives_the_digest_of_one_process(tmp_path):
    from distributed import LocalCluster  # noqa: PLC0415

    with pytest.raises(DoseOptError, match="no Dask scheduler answers at 'tcp://127"):
        run(tmp_path / "none", scheduler="tcp://127.0.0.1:9")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there = run(tmp_path / "dask", [RISING, TOXIC], scheduler=cluster.scheduler_address)
        with pytest.raises(DoseOptError, match=r"1 of 2 blocks failed[\s\S]*no truth here"):
            run(tmp_path / "broken", [RISING, broken("raises")], n_trials=10,
                scheduler=cluster.scheduler_address)  # fmt: skip
    assert digest(there) == digest(plain([RISING, TOXIC]))
