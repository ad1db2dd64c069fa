"""A results folder while it is written: held, swept, and free of what an earlier run left."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doseopt_bayes.files import sweep, write_whole
from doseopt_bayes.locks import locked
from doseopt_bayes.plots import style
from doseopt_bayes.report.manifest import listed_files, refuse_other_kind, seal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doseopt_bayes.plots.picture import Picture

__all__ = ["ResultsFolder", "results_folder"]


@dataclass(eq=False)
class ResultsFolder:
    """A folder that this process holds; every file in it is written whole and listed."""

    folder: Path
    before: set[Path]
    files: list[Path] = field(default_factory=list)
    pictures: list[tuple[Picture, Path]] = field(default_factory=list)

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.folder / "figures"

    def write(self, name: str, content: bytes) -> Path:
        """Write a file."""
        self.files.append(write_whole(self.folder / name, content))
        return self.files[-1]

    def copy(self, source: str | Path | None, name: str) -> None:
        """Copy a file, if it is there."""
        if source is not None and Path(source).is_file():
            self.write(name, Path(source).read_bytes())

    def draw(self, name: str, picture: Picture, footer: str = "") -> None:
        """Save a figure under the next number, with a footer if there is one."""
        if footer:
            style.stamp(picture.figure, footer)
        saved = style.save(picture.figure, self.figures / f"{len(self.pictures) + 1:02d}-{name}")
        self.files += saved
        self.pictures.append((picture, saved[0]))

    def seal(self, about: dict[str, Any]) -> Path:
        """Remove what an earlier run left, and write the manifest, which vouches for the rest."""
        for old in self.before - set(self.files):
            old.unlink(missing_ok=True)  # of no meaning for this run
        return seal(self.folder, self.files, about)


@contextmanager
def results_folder(folder: str | Path, kind: str) -> Iterator[ResultsFolder]:
    """Hold a results folder of one kind; it is made when it does not exist.

    Parameters
    ----------
    folder
        The folder.
    kind
        What it holds, as its manifest says.

    Raises
    ------
    ResultsError
        When another run holds it, or it holds results of another kind.
    """
    folder = Path(folder)
    with locked(folder) as taken_over:
        if taken_over:
            warnings.warn(taken_over, stacklevel=3)
        refuse_other_kind(folder, kind)
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for place in (folder, folder / "figures"):
            sweep(place)
        yield ResultsFolder(folder, listed_files(folder))
