"""Where the blocks of a simulation run: this process, local processes, or a Dask cluster."""

from __future__ import annotations

import importlib
import os
import secrets
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes.design.decider import Decider
from doseopt_bayes.design.simulate import (
    GROUP,
    TRIAL,
    Block,
    assemble,
    in_groups,
    processors,
    simulate_blocks,
)
from doseopt_bayes.errors import DoseOptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from doseopt_bayes.design.decided import Decided
    from doseopt_bayes.design.design import Design
    from doseopt_bayes.design.scenario import Scenario
    from doseopt_bayes.design.simulate import Simulation

__all__ = ["Block", "Done", "Failed", "Work", "check_place", "incomplete", "run_blocks", "together"]

_DECIDERS: Final[dict[str, Decider]] = {}  # of the run that this process works for
_WATCHED: Final[set[int]] = set()  # the process that this one works for
PERIOD: Final = 0.5  # seconds between two looks at it
SHARES: Final = 2  # groups of each local process: one that is slow does not hold up the others long
SENT: Final = 4  # blocks of a task on a cluster
SHOWN: Final = 3  # failed blocks that an error names
_ALONE: Final = threading.Lock()  # a Dask worker may have several threads, a decider has one


@dataclass(frozen=True)
class Work:
    """What all blocks of a run have in common.

    Parameters
    ----------
    design, scenarios, seed, particles, threads
        As for :func:`~doseopt_bayes.design.simulate.simulate`.
    decided
        Where decisions are kept while trials run; ``None`` for nowhere.
    """

    design: Design
    scenarios: tuple[Scenario, ...]
    seed: int
    particles: int = 512
    threads: int = 0
    decided: Decided | None = None

    def name(self, block: Block) -> str:
        """Name a block so that it can be run again alone."""
        i, k = block.place
        return (
            f"scenario '{self.scenarios[i].name}', block {k} ({block.size} trials, "
            f"seed SeedSequence({self.seed}, spawn_key=({i}, {k})))"
        )


@dataclass(frozen=True, eq=False)
class Done:
    """A finished block: its trials, and the number of posteriors fitted for it by engine."""

    block: Block
    trials: xr.Dataset
    fits: dict[str, int]


@dataclass(frozen=True)
class Failed:
    """A block that raised, and what it said."""

    block: Block
    message: str


def check_place(*, workers: Any = 1, scheduler: str = "", **numbers: tuple[Any, int]) -> None:
    """Refuse a place where nothing can run, before anything runs.

    Parameters
    ----------
    workers, scheduler
        As for :func:`run_blocks`.
    numbers
        Further numbers, each with the least that it may be.

    Raises
    ------
    DoseOptError
        On numbers that are none, workers and scheduler together, or a scheduler without Dask.
    """
    for what, (value, least) in {**numbers, "workers": (workers, 1)}.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise DoseOptError(f"{what} = {value!r} must be a whole number >= {least}")
    if scheduler and workers > 1:
        raise DoseOptError(
            f"workers = {workers} and scheduler = '{scheduler}' are two places",
            hint="a cluster has its own number of workers: give the scheduler alone",
        )
    if scheduler:
        _dask()


def incomplete(work: Work, failed: Sequence[Failed], n: int, kept: str = "") -> DoseOptError:
    """Say which of `n` blocks failed, and how each can be run again.

    Parameters
    ----------
    work, failed
        What was simulated, and what failed.
    n
        Number of all blocks.
    kept
        The next step, when the others are kept somewhere.
    """
    shown = [f"  {work.name(f.block)}: {f.message}" for f in failed[:SHOWN]]
    if len(failed) > SHOWN:
        shown.append(f"  ... {SHOWN} of {len(failed)} shown")
    return DoseOptError(
        "\n".join([f"INCOMPLETE: {len(failed)} of {n} blocks failed", *shown]), hint=kept
    )


def run_blocks(
    work: Work,
    blocks: Sequence[Block],
    *,
    workers: int = 1,
    scheduler: str = "",
    tell: Callable[[float, Mapping[str, int]], None] = lambda *_: None,
) -> Iterator[Done | Failed]:
    """Run blocks and yield each when it is finished; the same bits from every place, in any order.

    Parameters
    ----------
    work
        What is simulated.
    blocks
        The blocks to run.
    workers
        Local processes; 1 for this one.
    scheduler
        Address of a Dask scheduler, for example ``"tcp://10.0.0.1:8786"``, whose workers have this
        version of the package. One thread for each of its workers is best: a worker runs one group
        of blocks at a time.
    tell
        Called with the share of the work that is done and the posteriors fitted so far.

    Yields
    ------
    Done or Failed
        A block that raises does not stop the others.

    Raises
    ------
    DoseOptError
        When no scheduler answers, or a worker process was killed.
    """
    check_place(workers=workers, scheduler=scheduler)
    run = secrets.token_hex(8)
    try:
        if scheduler:
            groups = in_groups(blocks, SENT)
            sent = replace(work, decided=None, threads=work.threads or 1)
            found = _on_cluster(run, sent, groups, scheduler)
        elif workers > 1 and len(blocks) > 1:
            groups = in_groups(blocks, max(1, min(GROUP, len(blocks) // (SHARES * workers))))
            workers = min(workers, len(groups))
            threads = work.threads or max(1, processors() // workers)
            found = _in_processes(run, replace(work, threads=threads), groups, workers)
        else:
            yield from _here(run, work, in_groups(blocks, GROUP), tell)
            return
        done, fits = 0, Counter[str]()
        for group in found:
            for one in group:
                done += 1
                fits.update(one.fits if isinstance(one, Done) else {})
                yield one
            tell(done / len(blocks), fits)
    finally:
        _DECIDERS.pop(run, None)


def _here(
    run: str,
    work: Work,
    groups: Sequence[Sequence[Block]],
    tell: Callable[[float, Mapping[str, int]], None],
) -> Iterator[Done | Failed]:
    fits, done, total = Counter[str](), 0, sum(map(len, groups))
    for group in groups:
        before, size = fits.copy(), len(group)

        def say(share: float, new: Mapping[str, int], done: int = done, size: int = size,
                before: Counter[str] = before) -> None:  # fmt: skip
            tell((done + share * size) / total, before + Counter(new))

        for one in run_group(run, work, group, say):
            fits.update(one.fits if isinstance(one, Done) else {})
            yield one
        done += size


def together(work: Work, found: Mapping[tuple[int, int], Done]) -> Simulation:
    """Put the blocks of all scenarios together, in the order of their places."""
    fits: Counter[str] = Counter()
    by_scenario: dict[int, list[xr.Dataset]] = {}
    for place in sorted(found):
        fits.update(found[place].fits)
        by_scenario.setdefault(place[0], []).append(found[place].trials)
    trials = [xr.concat(parts, dim=TRIAL) for parts in by_scenario.values()]
    counts = dict(sorted(fits.items()))
    return assemble(work.design, work.scenarios, trials, counts, work.seed, work.particles)


def run_group(
    run: str,
    work: Work,
    blocks: Sequence[Block],
    tell: Callable[[float, Mapping[str, int]], None] = lambda *_: None,
) -> list[Done | Failed]:
    """Run blocks side by side in this process, which remembers what it decided for the same run."""
    with _ALONE:
        if run not in _DECIDERS:
            _DECIDERS.clear()
            kept = work.decided
            decider = Decider(work.design, work.seed, work.particles, work.threads or processors(),
                              keep=kept.keep if kept else None)  # fmt: skip
            for states, answers in kept.read() if kept else ():
                decider.learn(states, answers, told=True)
            _DECIDERS[run] = decider
        decider = _DECIDERS[run]
        before = decider.fits.copy()
        try:
            parts = simulate_blocks(
                decider, work.scenarios, blocks, lambda x: tell(x, decider.fits - before)
            )
        except Exception as e:  # noqa: BLE001  (whatever it was: the block is named, the rest goes on)
            if len(blocks) == 1:
                return [Failed(blocks[0], f"{type(e).__name__}: {e}")]
        else:
            first = dict(decider.fits - before)  # blocks that run together share their posteriors
            return [
                Done(block, trials, {} if i else first)
                for i, (block, trials) in enumerate(zip(blocks, parts, strict=True))
            ]
    return [one for block in blocks for one in run_group(run, work, [block], tell)]


def _in_processes(
    run: str, work: Work, groups: Sequence[Sequence[Block]], workers: int
) -> Iterator[list[Done | Failed]]:
    from joblib import Parallel, delayed  # type: ignore[import-untyped]  # noqa: PLC0415
    from joblib.externals.loky.process_executor import (  # type: ignore[import-untyped]  # noqa: PLC0415
        BrokenProcessPool,
    )

    parallel = Parallel(
        n_jobs=workers, backend="loky", batch_size=1, return_as="generator_unordered"
    )
    home = os.getpid()
    try:
        yield from parallel(delayed(_for)(home, run, work, group) for group in groups)
    except BrokenProcessPool as e:
        raise DoseOptError(
            f"a worker process was killed, by the system for want of memory perhaps ({e})",
            hint=f"fewer than {workers} workers need less memory; what a folder keeps is not lost",
        ) from e


def _for(home: int, run: str, work: Work, group: Sequence[Block]) -> list[Done | Failed]:
    """Run blocks for the process `home`; when that is killed, this one ends too, not minutes later."""
    if not _WATCHED and os.getppid() == home:
        _WATCHED.add(home)
        threading.Thread(target=_follow, args=(home,), daemon=True).start()
    return run_group(run, work, group)


def _follow(home: int) -> None:
    while os.getppid() == home:
        time.sleep(PERIOD)
    os._exit(1)


def _on_cluster(
    run: str, work: Work, groups: Sequence[Sequence[Block]], scheduler: str
) -> Iterator[list[Done | Failed]]:
    dask = _dask()
    with _client(dask, scheduler) as client, client.as_current():
        waiting = {client.submit(run_group, run, work, g, pure=False, retries=1): g for g in groups}
        for future in dask.as_completed(waiting):
            group = waiting.pop(future)
            if future.status == "finished":
                yield future.result()
            else:
                why = f"its worker was lost, or: {future.exception()}"
                yield [Failed(block, why) for block in group]
            future.release()


@contextmanager
def _client(dask: Any, scheduler: str) -> Iterator[Any]:
    try:
        client = dask.Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError) as e:
        raise DoseOptError(
            f"no Dask scheduler answers at '{scheduler}': {e}",
            hint="an address looks like tcp://host:8786; `dask scheduler` prints its own",
        ) from e
    try:
        yield client
    finally:
        client.close()


def _dask() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as e:
        raise DoseOptError(
            f"a scheduler needs Dask, which is not installed ({e})",
            hint="pip install distributed, or workers=2 for processes of this machine",
        ) from e
