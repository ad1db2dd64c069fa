"""Progress on the standard error: a bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["progress"]

SHARE: Final = re.compile(r"(\d+)%: ")


def _line(step: str) -> None:
    sys.stderr.write(f"{step} ...\n")
    sys.stderr.flush()


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Show the step that runs and the time since the start, while the context is open.

    Parameters
    ----------
    quiet
        Show nothing.

    Yields
    ------
    callable
        To be called with a few words at the start of each step.
    """
    if quiet:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console  # noqa: PLC0415  (0.2 s that a pipe need not pay)
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TimeElapsedColumn(), BarColumn(bar_width=20), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(step: str) -> None:
            share = SHARE.match(step)  # "52%: ..." moves the bar
            done = {"completed": float(share[1]), "total": 100.0} if share else {}
            bar.update(task, description=step, **done)  # type: ignore[arg-type]

        yield show
