"""The manifest of a results folder: what made it, and the SHA-256 sum of every file in it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import xarray as xr

from doseopt_bayes.errors import ResultsError
from doseopt_bayes.files import sha256, write_whole

if TYPE_CHECKING:
    from doseopt_bayes.analysis import Analysis
    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.exposure_analysis import ExposureAnalysis
    from doseopt_bayes.plan import Plan

__all__ = [
    "about",
    "compare_with_previous",
    "listed_files",
    "load_results",
    "provenance",
    "refuse_other_kind",
    "seal",
    "sealed",
    "verify",
]

NAME: Final = "manifest.json"
SCHEMA: Final = 2  # 1: without a sum of its own
ANALYSIS, SIMULATION = "an analysis", "a simulation"  # kinds of results
EXPOSURE: Final = "an exposure-response analysis"
ARMS, PLAN = "a comparison of arms", "a plan of randomised arms"
PROTOCOL: Final = "the designs of a protocol"
BLANK: Final = "0" * 64  # stands in the manifest while its own sum is taken


def provenance(analysis: Analysis | ExposureAnalysis) -> dict[str, str]:
    """Return what made the results, without clock, host or user, so that a rerun says the same."""
    attrs = analysis.posterior.tree.attrs
    plan = analysis.plan
    named = {"specification": "none: put together in Python"}
    if plan is not None:
        named = {
            "specification": f"{plan.id} {plan.version} ({plan.name})",
            "specification_sha256": plan.hash,
        }
    return {
        **named,
        "data": analysis.data.source,
        "data_sha256": analysis.data.sha256,
        "model_fingerprint": str(attrs.get("model_fingerprint", "")),
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


def about(analysis: Analysis) -> dict[str, Any]:
    """Return what the manifest of an analysis says beside its files."""
    return {
        "made_by": provenance(analysis),
        "stamps": list(analysis.stamps),
        "data_rows": list(analysis.data.row_hashes),
    }


def seal(folder: Path, files: list[Path], about: dict[str, Any]) -> Path:
    """Write a manifest that says `about`, the time, and the SHA-256 sum and size of each file.

    It comes last of all files, so that it vouches for finished ones.
    """
    content = {
        "written_utc": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        **about,
        "files": {
            f.relative_to(folder).as_posix(): {"sha256": sha256(f), "bytes": f.stat().st_size}
            for f in sorted(files)
        },
    }
    return write_whole(folder / NAME, sealed(content))


def refuse_other_kind(folder: Path, kind: str, hint: str = "") -> None:
    """Refuse to mix an analysis, an exposure-response analysis and a simulation in one folder.

    Raises
    ------
    ResultsError
        When the manifest of `folder` is of another kind.
    """
    try:
        held = read_manifest(folder).get("kind", ANALYSIS)
    except ResultsError:
        return
    if held != kind:
        raise ResultsError(
            f"'{folder}' holds {held}", hint=hint or f"name another folder for {kind}"
        )


def sealed(content: dict[str, Any]) -> bytes:
    """Return a manifest as it is written: with its schema, and a SHA-256 sum over all of its own text."""
    content = {"schema": SCHEMA, "sha256": BLANK} | content
    text = json.dumps(content | {"sha256": BLANK}, indent=1, ensure_ascii=False) + "\n"
    return text.replace(BLANK, hashlib.sha256(text.encode()).hexdigest(), 1).encode()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a results folder.

    Raises
    ------
    ResultsError
        When there is none, it is damaged, or another version of this package wrote it.
    """
    path = folder / NAME
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ResultsError(f"'{folder}' has no {NAME}", hint="is it a results folder?") from None
    try:
        content = json.loads(raw)
        schema, own = content["schema"], str(content.get("sha256"))
        content["files"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ResultsError(f"'{path}' is damaged", hint="run the analysis again") from None
    blank = raw.replace(own.encode(), BLANK.encode(), 1)
    if schema != 1 and hashlib.sha256(blank).hexdigest() != own:
        raise ResultsError(f"'{path}' is damaged", hint="run the analysis again")
    if schema != SCHEMA:
        raise ResultsError(
            f"'{path}' has schema {schema}; this version reads schema {SCHEMA}",
            hint="run the analysis again, or read it with the version that wrote it",
        )
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
        When any file of the folder is missing or altered, or it holds a simulation or a plan.
    """
    kind = verify(folder).get("kind", ANALYSIS)
    if kind not in (EXPOSURE, ARMS):
        refuse_other_kind(Path(folder), ANALYSIS)
    with xr.open_datatree(Path(folder) / "results.nc", engine="h5netcdf") as tree:
        return tree.load()


def compare_with_previous(
    folder: Path,
    data: TrialData | ExposureData,
    plan: Plan | None = None,
    kind: str = ANALYSIS,
) -> list[str]:
    """Say whether data or specification differ from those of the results that `folder` holds now.

    Returns
    -------
    list of str
        Empty when there are no earlier results or they came from the same.
    """
    if not (folder / NAME).is_file():
        return []
    refuse_other_kind(folder, kind)
    try:
        before = read_manifest(folder)
    except ResultsError as e:
        return [f"{e.message}; the results in '{folder}' are replaced"]
    said = []
    made_by = before["made_by"]
    replaced = f"from {{}} of the results in '{folder}', which are replaced"
    if made_by["data_sha256"] != data.sha256:
        from doseopt_bayes.data.read.table import changed_rows  # noqa: PLC0415

        rows = changed_rows(tuple(before["data_rows"]), data.row_hashes)
        where = ", ".join(map(str, rows)) or "none; layout or header only"
        said.append(f"the data differ {replaced.format('those')} (rows that differ: {where})")
    if plan is not None and made_by.get("specification_sha256") != plan.hash:
        old = made_by["specification"]
        said.append(f"the specification differs {replaced.format('that')} ({old})")
    return said
