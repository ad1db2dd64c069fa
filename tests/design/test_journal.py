"""I01, I03, I06: a simulation survives kills, and never mixes runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from doseopt_bayes.decision.rules import NoSkipping, Tolerable
from doseopt_bayes.design import executor, journal, simulate
from doseopt_bayes.design.decided import Decided
from doseopt_bayes.design.journal import digest
from doseopt_bayes.design.stopping import MaxPatients
from doseopt_bayes.errors import ResultsError
from doseopt_bayes.files import PART
from doseopt_bayes.locks import LOCK, locked
from doseopt_bayes.models.presets import EFFTOX_THALL2014

from .small_runs import BLOCK, DESIGN, RISING, TOXIC, blocks_of, plain, run

ROOT = Path(__file__).parents[2]
RUN = f"""
import sys
from doseopt_bayes.design import journal, simulate
from tests.design.small_runs import DESIGN, RISING
simulate.BLOCK = {BLOCK}
print("go", flush=True)
journal.simulate_in(sys.argv[1], DESIGN, [RISING], n_trials=int(sys.argv[2]), seed=1, particles=256,
                    workers=int(sys.argv[3]), resume=True, progress=lambda said: print(said, flush=True))
"""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(simulate, "BLOCK", BLOCK)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a run that ended; whoever changes a file of it puts it back."""
    folder = tmp_path_factory.mktemp("oc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "BLOCK", BLOCK)
        run(folder)
    return folder


def decisions_in(folder):
    """Number of decisions that a killed run left."""
    made = json.loads((folder / "journal.json").read_bytes())["sha256"]
    return sum(len(states) for states, _ in Decided(folder, made).read())


def killed(folder, n_trials, workers, delay, *, from_start):
    """Start or resume a run and kill it."""
    command = [sys.executable, "-c", RUN, str(folder), str(n_trials), str(workers)]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    if not from_start:
        while "posteriors" not in (line := other.stdout.readline()):
            if not line:  # it ended by itself
                break
    time.sleep(delay)
    other.send_signal(signal.SIGKILL)
    other.wait()
    other.stdout.close()


def survive(folder, n_trials, kills, seed, workers=1):
    rng = np.random.default_rng(seed)
    kept = 0
    for kill in range(kills):
        from_start = kill % 5 == 4  # while it loads, compiles, or reads what is there
        delay = float(rng.uniform(0, 6 if from_start else 0.4))
        killed(folder, n_trials, workers, delay, from_start=from_start)
        if not blocks_of(folder):  # no decision that was kept is ever lost
            assert decisions_in(folder) >= kept
            kept = decisions_in(folder)
    return kept


@pytest.mark.slow
def test_i01_three_kills_and_a_resume_give_the_digest_of_an_uninterrupted_run(tmp_path):
    kept = survive(tmp_path, 2000, kills=3, seed=1)
    assert kept > 0
    (tmp_path / "blocks" / f".000-0019.npz.x{PART}").write_bytes(b"half a bl")
    one = min((tmp_path / "decided").glob("*.npz"))
    (tmp_path / "decided" / "damaged.npz").write_bytes(one.read_bytes()[:-1])
    whole = plain(n_trials=2000)
    resumed = run(tmp_path, n_trials=2000, resume=True)
    assert digest(resumed) == digest(whole)
    # what was decided is not decided again
    assert sum(resumed.fits.values()) < sum(whole.fits.values())
    assert len(blocks_of(tmp_path)) == 200
    assert sorted(p.name for p in tmp_path.iterdir()) == ["blocks", "journal.json"]
    assert not list((tmp_path / "blocks").glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "kills"), [(1, 20), (2, 4)])
def test_i01_many_kills(tmp_path, workers, kills):
    survive(tmp_path, 10_000, kills=kills, seed=2, workers=workers)
    assert digest(run(tmp_path, n_trials=10_000, resume=True)) == digest(plain(n_trials=10_000))


def test_i01_a_kill_loses_less_than_two_seconds_of_decisions(tmp_path, monkeypatch):
    """Decisions are on disk a piece of work after they were taken, and a piece is short."""
    pieces = []
    real = Decided.keep
    monkeypatch.setattr(
        Decided, "keep", lambda *given: (pieces.append(time.monotonic()), real(*given))
    )
    began = time.monotonic()
    run(tmp_path, n_trials=600)
    waits = np.diff([began, *pieces])
    assert len(pieces) >= 3
    assert waits.max() < 2 + 8 * (waits[0] == waits.max())  # the first one compiles the model


def test_i01_the_trials_are_those_of_simulate_and_a_second_resume_reads_them(finished):
    again = run(finished, resume=True)
    expected = plain()
    assert digest(again) == digest(expected)
    assert again.trials.identical(expected.trials)
    assert again.fits == expected.fits


def test_i01_a_resume_where_nothing_is_begins(tmp_path):
    assert digest(run(tmp_path / "new", n_trials=10, resume=True)) == digest(plain(n_trials=10))
    # a kill between the journal and the first block
    blocks_of(tmp_path / "new")[0].unlink()
    assert digest(run(tmp_path / "new", n_trials=10)) == digest(plain(n_trials=10))


def test_i01_a_folder_with_trials_is_never_overwritten(finished):
    with pytest.raises(ResultsError, match=r"has trials of an earlier run\n.*--resume"):
        run(finished)


def test_i01_one_run_at_a_time_in_a_folder(finished, tmp_path):
    holder = (
        "import sys, time; from doseopt_bayes.locks import locked\n"
        "with locked(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        with pytest.raises(ResultsError, match=f"in use by process {other.pid}"):
            run(tmp_path)
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with locked(tmp_path):  # the command line may hold it already
        assert (tmp_path / LOCK).exists()
        run(tmp_path, n_trials=10)


def test_i03_a_damaged_block_is_named_and_not_simulated_again(finished):
    rng = np.random.default_rng(3)
    for path in blocks_of(finished):
        before = path.read_bytes()
        flips = []
        for at in rng.integers(len(before), size=20):
            changed = bytearray(before)
            changed[at] ^= 1 << int(rng.integers(8))
            flips.append(bytes(changed))
        for content in (*flips, before[:-1], before[:10], b"", before + b"0"):
            path.write_bytes(content)
            with pytest.raises(ResultsError, match=f"{path.name}' is damaged") as e:
                run(finished, resume=True)
            assert "delete it and resume" in str(e.value)
            assert path.read_bytes() == content
        path.write_bytes(before)
    run(finished, resume=True)


def test_i03_blocks_that_were_swapped_or_come_from_another_run_are_refused(finished, tmp_path):
    one, two, *_ = blocks_of(finished)
    a, b = one.read_bytes(), two.read_bytes()
    two.write_bytes(a)
    with pytest.raises(ResultsError, match=f"{two.name}' is a block of another run or of another"):
        run(finished, resume=True)
    two.write_bytes(b)
    run(tmp_path, seed=2)
    one.write_bytes(blocks_of(tmp_path)[0].read_bytes())
    with pytest.raises(ResultsError, match=f"{one.name}' is a block of another run"):
        run(finished, resume=True)
    one.write_bytes(a)


@pytest.mark.parametrize("text", [None, "", "{}", '{"schema": 2}', "[]"])
def test_i03_blocks_without_a_sound_journal_are_refused(finished, text):
    path = finished / "journal.json"
    before = path.read_bytes()
    path.write_text(text, encoding="utf-8") if text is not None else path.unlink()
    with pytest.raises(ResultsError, match=r"journal\.json' is (damaged|missing)"):
        run(finished, resume=True)
    path.write_bytes(before.replace(b'"seed": "1"', b'"seed": "2"'))
    with pytest.raises(ResultsError, match=r"journal\.json' is damaged"):
        run(finished, seed=2, resume=True)
    path.write_bytes(before)


OTHER_PRIOR = EFFTOX_THALL2014 | {"association": EFFTOX_THALL2014["eff_slope"]}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 2}, ["seed (was 1, is 2)"]),
        ({"particles": 512}, ["particles (was 256, is 512)"]),
        ({"n_trials": 31}, ["n_trials (was 30, is 31)"]),
        ({"design": replace(DESIGN, stop=MaxPatients(12))},
         ["design: stop (was MaxPatients(patients=9), is MaxPatients(patients=12))"]),
        ({"design": replace(DESIGN, start=2, cohort=1)}, ["design: start (was 1.0, is 2.0)", "design: cohort"]),
        ({"design": replace(DESIGN, rules=Tolerable(0.3, certainty=0.1) & NoSkipping())}, ["design: rules"]),
        ({"design": replace(DESIGN, model=replace(DESIGN.model, priors=OTHER_PRIOR))},
         ["design: model", "model fingerprint"]),
        ({"scenarios": [replace(RISING, correlation=0.2)]}, ["scenario 'rising'"]),
        ({"scenarios": [RISING, TOXIC]}, ["scenarios (was rising, is rising, toxic)", "scenario 'toxic'"]),
    ],
)  # fmt: skip
def test_i06_a_resume_of_another_run_is_refused_with_what_differs(finished, changed, named):
    before = {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}
    with pytest.raises(ResultsError) as e:
        run(finished, resume=True, **changed)
    for part in (*named, f"simulate in a new folder, for example '{finished}-2'"):
        assert part in str(e.value)
    if named[0].startswith(("seed", "particles")):
        assert str(e.value).count("(was") == 1  # that alone differs
    assert {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()} == before


def test_i06_a_resume_with_other_code_or_versions_is_refused(finished, monkeypatch):
    real = journal.metadata.version
    monkeypatch.setattr(journal.metadata, "version", lambda p: "9" if p == "numpy" else real(p))
    with pytest.raises(ResultsError, match=rf"version of numpy \(was {real('numpy')}, is 9\)"):
        run(finished, resume=True)
    monkeypatch.undo()
    monkeypatch.setattr(simulate, "BLOCK", BLOCK)
    monkeypatch.setattr(journal, "DECIDES", journal.DECIDES[:-1])
    with pytest.raises(ResultsError, match="What differs: code of this package"):
        run(finished, resume=True)


def test_i06_every_file_that_decides_is_part_of_the_code():
    root = Path(journal.__file__).parents[1]
    assert all((root / part).exists() for part in journal.DECIDES)
    made = journal.made_by(executor.Work(DESIGN, (RISING,), 1), 10, 10)
    assert made == json.loads(json.dumps(made))


def test_digest_depends_on_every_trial():
    one, other = plain(), plain()
    assert digest(one) == digest(other)
    for name in other.trials:
        changed = other.trials.copy(deep=True)
        flat = changed[name].to_numpy().reshape(-1)
        flat[-1] = (
            not flat[-1] if flat.dtype == bool else flat[-1] + 1 if flat[-1] == flat[-1] else 1
        )
        assert digest(replace(other, trials=changed)) != digest(one), name
