"""Simulations that survive a crash: each finished block is a file of its own, with its sum."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, fields, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.data.trial import TrialData
from doseopt_bayes.design.decided import Decided
from doseopt_bayes.design.design import Design
from doseopt_bayes.design.executor import (
    Done,
    Failed,
    Work,
    check_place,
    incomplete,
    run_blocks,
    together,
)
from doseopt_bayes.design.simulate import SCENARIO, TRIAL, Told, all_blocks, check_simulation
from doseopt_bayes.errors import DoseOptError, ResultsError
from doseopt_bayes.files import sweep, write_whole
from doseopt_bayes.inference.fingerprint import fingerprint
from doseopt_bayes.locks import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.design.simulate import Block, Simulation

__all__ = ["digest", "simulate_in"]

NAME: Final = "journal.json"
BLOCKS: Final = "blocks"
SCHEMA: Final = 1
SUM: Final = 64  # hexadecimal digits of a SHA-256, the end of each block's file
NOT_TRIALS: Final = ("run", "place", names.DOSE, "engine", "fits")
DECIDES: Final = (
    *("names.py", "priors", "data", "models", "inference", "decision"),
    *(
        f"design/{part}.py"
        for part in (
            "decider",
            "design",
            "patients",
            "scenario",
            "simulate",
            "stopping",
            "trialled",
        )
    ),
)
PACKAGES: Final = ("numpy", "scipy", "xarray", "pymc", "pytensor", "numba")
SHOWN: Final = 60  # characters of a value that a refusal still prints


def digest(sim: Simulation) -> str:
    """SHA-256 over all trials of a simulation: what was simulated, whoever did it in what order.

    Parameters
    ----------
    sim
        The simulation.

    Returns
    -------
    str
        The same for any number of processes and threads, and for a run that was resumed.
    """
    total = hashlib.sha256()
    labels = [*map(str, sim.trials[SCENARIO].to_numpy()), *map(float, sim.trials[names.DOSE])]
    total.update(json.dumps(labels).encode())
    for name in sorted(map(str, sim.trials.data_vars)):
        x = sim.trials[name].transpose(SCENARIO, TRIAL, ...).to_numpy()
        x = x.astype({"f": "<f8", "b": "u1"}.get(x.dtype.kind, "<i8"))
        if x.dtype.kind == "f":
            x[np.isnan(x)] = np.nan  # one of its many patterns of bits
        total.update(f"{name} {x.dtype.str} {x.shape}".encode() + np.ascontiguousarray(x).tobytes())
    return total.hexdigest()


def simulate_in(
    folder: str | Path,
    design: Design,
    scenarios: Sequence[Scenario],
    *,
    n_trials: int,
    seed: int,
    particles: int = 512,
    threads: int = 0,
    workers: int = 1,
    scheduler: str = "",
    progress: Callable[[str], None] | None = None,
    resume: bool = False,
) -> Simulation:
    """Simulate a design, and keep each finished block of trials in a folder.

    Parameters
    ----------
    folder
        Made when there is none. ``journal.json`` says what is simulated, ``blocks/`` has the trials.
    design, scenarios, n_trials, seed, particles, threads
        As for :func:`~doseopt_bayes.design.simulate.simulate`, which gives the very same trials.
    workers
        Processes of this machine, each with `threads` threads.
    scheduler
        Address of a Dask scheduler whose workers run the blocks instead.
    progress
        Called with a few words at the start and after each cohort.
    resume
        Go on with what the folder holds: finished blocks are read, not simulated again. In a folder
        without blocks, this begins.

    Returns
    -------
    Simulation
        ``fits`` counts what each process fitted, resumed runs included.

    Raises
    ------
    DoseOptError
        Before anything runs, on input that cannot be simulated; at the end, when blocks failed, with
        their names and seeds.
    ResultsError
        When the folder is in use, has blocks of another run, or a block that is damaged.

    Notes
    -----
    A killed run loses the decisions in flight, a second of work of each process: those that were taken
    are in ``decided/`` until the trials that need them have ended. On a cluster it loses the blocks in
    flight, four for each worker. A block has the seed ``SeedSequence(seed, spawn_key=(scenario,
    block))``, so that a resumed run has the same bits.
    """
    if not isinstance(design, Design):
        raise DoseOptError(
            "a folder keeps the trials of a design with a model, without backfill",
            hint="simulate() runs any other: decision tables take seconds",
        )
    check_simulation(design, scenarios, n_trials=n_trials, seed=seed)
    check_place(
        workers=workers, scheduler=scheduler, particles=(particles, 256), threads=(threads, 0)
    )
    say = progress or (lambda _: None)
    work = Work(design, tuple(scenarios), int(seed), int(particles), int(threads))
    blocks = all_blocks(n_trials, len(scenarios))
    with locked(folder) as taken_over:
        if taken_over:
            say(taken_over)
        journal = _opened(Path(folder), made_by(work, n_trials, blocks[0].size), resume=resume)
        work = replace(work, decided=journal.decided)
        found = {b.place: journal.read(b) for b in blocks if journal.path(b).exists()}
        rest = [b for b in blocks if b.place not in found]
        if found:
            say(f"{len(found)} of {len(blocks)} blocks are in '{folder}' already")
        failed, begun = [], len(found) / len(blocks)
        told = Told(say, begun)
        for one in run_blocks(work, rest, workers=workers, scheduler=scheduler,
                              tell=lambda x, fits: told(begun + x * (1 - begun), fits)):  # fmt: skip
            if isinstance(one, Failed):
                failed.append(one)
                continue
            journal.write(one)
            found[one.block.place] = one
        if failed:
            kept = (
                f"the others are kept in '{folder}': resume (--resume) tries the failed ones again"
            )
            raise incomplete(work, failed, len(blocks), kept)
        journal.decided.clear()
    return together(work, found)


def made_by(work: Work, n_trials: int, of_a_block: int) -> dict[str, str]:
    """Say what the trials depend on, a line for each thing that may differ."""
    design = work.design
    root = Path(__file__).parents[1]
    code = hashlib.sha256()
    for part in DECIDES:
        for path in [root / part] if part.endswith(".py") else sorted((root / part).rglob("*.py")):
            code.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    model = design.model.build(TrialData.empty(design.model.doses, design.model.unit))
    return {
        "seed": str(work.seed),
        "n_trials": str(n_trials),
        "particles": str(work.particles),
        "trials of a block": str(of_a_block),
        **{f"design: {f.name}": repr(getattr(design, f.name)) for f in fields(design)},
        "model fingerprint": fingerprint(model),
        "scenarios": ", ".join(s.name for s in work.scenarios),
        **{f"scenario '{s.name}'": repr(s) for s in work.scenarios},
        "doseopt-bayes": metadata.version("doseopt-bayes"),
        "code of this package": code.hexdigest(),
        **{f"version of {p}": metadata.version(p) for p in PACKAGES},
    }


@dataclass(frozen=True)
class Journal:
    """The blocks of one run in a folder; `run` is the sum of what made them."""

    folder: Path
    run: str

    @property
    def decided(self) -> Decided:
        """Decisions of trials that have not ended."""
        return Decided(self.folder, self.run)

    def path(self, block: Block) -> Path:
        """Name of the file of a block."""
        i, k = block.place
        return self.folder / BLOCKS / f"{i:03d}-{k:04d}.npz"

    def write(self, done: Done) -> None:
        """Write a finished block, whole or not at all."""
        stream = io.BytesIO()
        arrays = {str(k): x.to_numpy() for k, x in done.trials.data_vars.items()}
        arrays[names.DOSE] = done.trials[names.DOSE].to_numpy()
        about = {"run": np.array(self.run), "place": np.array(done.block.place)}
        counts = {"engine": np.array(list(done.fits), dtype=str),
                  "fits": np.array(list(done.fits.values()), dtype=np.int64)}  # fmt: skip
        np.savez(stream, **about, **arrays, **counts)  # type: ignore[arg-type]
        content = stream.getvalue()
        total = hashlib.sha256(content).hexdigest()
        write_whole(self.path(done.block), content + total.encode())

    def read(self, block: Block) -> Done:
        """Read a finished block.

        Raises
        ------
        ResultsError
            When it is damaged, or another run or another block wrote it.
        """
        path = self.path(block)
        content = path.read_bytes()
        content, total = content[:-SUM], content[-SUM:]
        if hashlib.sha256(content).hexdigest().encode() != total:
            raise ResultsError(
                f"'{path}' is damaged: its SHA-256 is not the one it was written with",
                hint="find out what damaged it; then delete it and resume: the same trials are "
                "simulated again",
            )
        with np.load(io.BytesIO(content)) as stored:
            arrays = dict(stored.items())
        sound = len(arrays["stopped_early"]) == block.size
        if str(arrays["run"]) != self.run or tuple(arrays["place"]) != block.place or not sound:
            raise ResultsError(
                f"'{path}' is a block of another run or of another place in it",
                hint="it was copied or renamed: delete it and resume",
            )
        dims = (TRIAL, names.DOSE)
        trials = xr.Dataset(
            {k: (dims[: x.ndim], x) for k, x in arrays.items() if k not in NOT_TRIALS},
            coords={names.DOSE: arrays[names.DOSE]},
        )
        pairs = zip(arrays["engine"], arrays["fits"], strict=True)
        return Done(block, trials, {str(k): int(n) for k, n in pairs})


def _opened(folder: Path, now: Mapping[str, str], *, resume: bool) -> Journal:
    """Return the journal of a folder that the run holds; begin one, or refuse another run's."""
    path, blocks = folder / NAME, folder / BLOCKS
    run = _sum(now)
    held = blocks.is_dir() and any(blocks.glob("*.npz"))
    if held and not resume:
        raise ResultsError(
            f"'{folder}' has trials of an earlier run",
            hint="resume (--resume) goes on with them; else simulate in a new folder",
        )
    if held:
        _refuse_another(folder, _read(path), now)
    else:
        blocks.mkdir(exist_ok=True)
        content: dict[str, Any] = {"schema": SCHEMA, "sha256": run, "made_by": now}
        write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    journal = Journal(folder, run)
    for place in (folder, blocks, journal.decided.place):
        if place.is_dir():
            sweep(place)
    return journal


def _sum(made: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> dict[str, str]:
    """Read what made the blocks of a folder."""
    new = "the blocks cannot be told from another run's: simulate in a new folder"
    try:
        content = json.loads(path.read_bytes())
        schema, made, total = content["schema"], dict(content["made_by"]), content["sha256"]
    except FileNotFoundError:
        raise ResultsError(f"'{path}' is missing beside its blocks", hint=new) from None
    except (ValueError, KeyError, TypeError):
        raise ResultsError(f"'{path}' is damaged", hint=new) from None
    if schema != SCHEMA or _sum(made) != total:
        raise ResultsError(f"'{path}' is damaged or of another version", hint=new)
    return made


def _refuse_another(folder: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    said, differ = [], [k for k in {**before, **now} if before.get(k) != now.get(k)]
    for k in differ:
        old, new = before.get(k, "none"), now.get(k, "none")
        short = max(len(old), len(new)) <= SHOWN
        said.append(f"{k} (was {old}, is {new})" if short else k)
    if said:
        raise ResultsError(
            f"'{folder}' has trials of another run, which cannot be mixed with this one. What differs: "
            f"{'; '.join(said)}",
            hint=f"simulate in a new folder, for example '{folder}-2', or give again what was given then",
        )
