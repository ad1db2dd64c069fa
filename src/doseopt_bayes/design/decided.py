"""Decisions of trials that have not ended, kept on disk: a killed run decides nothing twice."""

from __future__ import annotations

import hashlib
import io
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from doseopt_bayes.design.trialled import Answers
from doseopt_bayes.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Decided"]

FOLDER: Final = "decided"
SUM: Final = 64  # hexadecimal digits of a SHA-256, the end of each file


@dataclass(frozen=True)
class Decided:
    """A folder of decisions. Each piece of work is a file, whole or absent, with its sum.

    Parameters
    ----------
    folder
        Results folder of the run.
    run
        Sum of what made the decisions; files of another run are not read.

    Notes
    -----
    A decision depends on the counts and on what `run` sums up, nothing else: whoever took it, in
    whichever process, it is the one that the resumed run would take.
    """

    folder: Path
    run: str

    @property
    def place(self) -> Path:
        """Folder of the files."""
        return self.folder / FOLDER

    def keep(self, states: Sequence[bytes], answers: Answers) -> None:
        """Write the answers of some states."""
        stream = io.BytesIO()
        text = b"\n".join(state.hex().encode() for state in states)
        np.savez(stream, run=np.array(self.run), states=np.frombuffer(text, dtype=np.uint8),
                 dose=answers.dose, resolved=answers.resolved)  # fmt: skip
        content = stream.getvalue()
        self.place.mkdir(exist_ok=True)
        total = hashlib.sha256(content).hexdigest().encode()
        write_whole(self.place / f"{secrets.token_hex(12)}.npz", content + total)

    def read(self) -> Iterator[tuple[list[bytes], Answers]]:
        """Yield what is there; a damaged file or another run's is passed over: it is decided again."""
        for path in sorted(self.place.glob("*.npz")) if self.place.is_dir() else ():
            content = path.read_bytes()
            content, total = content[:-SUM], content[-SUM:]
            if hashlib.sha256(content).hexdigest().encode() != total:
                continue
            with np.load(io.BytesIO(content)) as kept:
                if str(kept["run"]) != self.run:
                    continue
                states = [bytes.fromhex(x.decode()) for x in kept["states"].tobytes().split(b"\n")]
                yield states, Answers(kept["dose"], kept["resolved"])

    def clear(self) -> None:
        """Remove all files: every trial has ended."""
        if self.place.is_dir():
            for path in self.place.iterdir():
                path.unlink()
            self.place.rmdir()
