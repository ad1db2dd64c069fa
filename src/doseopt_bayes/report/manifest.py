"""The manifest of a results folder: what made it, and the SHA-256 sum of every file in it."""

from __future__ import annotations

import datetime as dt
import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import xarray as xr

from doseopt_bayes.errors import ResultsError
from doseopt_bayes.files import sha256, write_whole

if TYPE_CHECKING:
    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.data.trial import TrialData

__all__ = [
    "compare_with_previous",
    "listed_files",
    "load_results",
    "provenance",
    "verify",
    "write_manifest",
]

NAME: Final = "manifest.json"
SCHEMA: Final = 1


def provenance(analysis: Analysis) -> dict[str, str]:
    """Return what made the results, without clock, host or user, so that a rerun says the same."""
    attrs = analysis.posterior.tree.attrs
    plan = analysis.plan
    named = {"specification": "none: put together in Python"}
    if plan is not None:
        named = {
            "specification": f"{plan.id} {plan.version} ({plan.file.name})",
            "specification_sha256": plan.hash,
        }
    return {
        **named,
        "data": analysis.data.source,
        "data_sha256": analysis.data.sha256,
        "sampler": f"{attrs['sampler']}, seed {attrs['seed']}, {attrs['chains']} chains x "
        f"{attrs['draws']} draws after {attrs['tune']} tuning steps, "
        f"target acceptance {attrs['target_accept']}",
        "python": platform.python_version(),
        **{
            str(k).removeprefix("version_"): str(v)
            for k, v in attrs.items()
            if str(k).startswith("version_")
        },
    }


def write_manifest(analysis: Analysis, folder: Path, files: list[Path]) -> Path:
    """Write the manifest; last of all files, so that it vouches for finished ones.

    Parameters
    ----------
    analysis
        What was saved.
    folder
        Results folder.
    files
        Every other file in it.
    """
    content = {
        "schema": SCHEMA,
        "written_utc": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "made_by": provenance(analysis),
        "stamps": list(analysis.decision.stamps),
        "data_rows": list(analysis.data.row_hashes),
        "files": {
            f.relative_to(folder).as_posix(): {"sha256": sha256(f), "bytes": f.stat().st_size}
            for f in sorted(files)
        },
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    return write_whole(folder / NAME, text.encode())


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a results folder.

    Raises
    ------
    ResultsError
        When there is none, or it is damaged.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["files"].items()
    except FileNotFoundError:
        raise ResultsError(f"'{folder}' has no {NAME}", hint="is it a results folder?") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ResultsError(f"'{path}' is damaged", hint="run the analysis again") from None
    return content  # type: ignore[no-any-return]


def listed_files(folder: Path) -> set[Path]:
    """Return the files that the manifest of `folder` lists; none without a sound manifest."""
    try:
        return {folder / name for name in read_manifest(folder)["files"]}
    except ResultsError:
        return set()


def verify(folder: str | Path) -> dict[str, Any]:
    """Check every file of a results folder against its manifest.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    ResultsError
        Naming each file that is missing or is not the one that was written.
    """
    folder = Path(folder)
    content = read_manifest(folder)
    wrong = []
    for name, entry in content["files"].items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif sha256(path) != entry["sha256"]:
            wrong.append(f"{name} is not the file that was written (SHA-256 differs)")
    if wrong:
        raise ResultsError(
            f"'{folder}' does not match its {NAME}: {'; '.join(wrong)}",
            hint="run the analysis again",
        )
    return content


def load_results(folder: str | Path) -> xr.DataTree:
    """Read the posterior and decision of a results folder, after :func:`verify`.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``sample_stats``, ``prior``, ``utility``, ``decision`` and others.

    Raises
    ------
    ResultsError
        When any file of the folder is missing or altered.
    """
    verify(folder)
    with xr.open_datatree(Path(folder) / "results.nc", engine="h5netcdf") as tree:
        return tree.load()


def compare_with_previous(folder: Path, data: TrialData) -> list[str]:
    """Say whether `data` differ from those of the results that `folder` holds now.

    Returns
    -------
    list of str
        Empty when there are no earlier results or they used the same data.
    """
    if not (folder / NAME).is_file():
        return []
    try:
        before = read_manifest(folder)
    except ResultsError as e:
        return [f"{e.message}; the results in '{folder}' are replaced"]
    if before["made_by"]["data_sha256"] == data.sha256:
        return []
    from doseopt_bayes.data.read.table import changed_rows  # noqa: PLC0415

    rows = changed_rows(tuple(before["data_rows"]), data.row_hashes)
    where = ", ".join(map(str, rows)) or "none; layout or header only"
    return [
        (
            f"the data differ from those of the results in '{folder}', which are replaced "
            f"(rows that differ: {where})"
        )
    ]
