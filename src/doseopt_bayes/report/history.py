"""How the ranking moved from interim to interim, read from the saved results of each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.decision import prose
from doseopt_bayes.errors import ResultsError
from doseopt_bayes.files import write_whole
from doseopt_bayes.plots import history as figure
from doseopt_bayes.plots import style
from doseopt_bayes.report.bundle import named_intervals
from doseopt_bayes.report.manifest import load_results

__all__ = ["history", "interims", "next_interim", "save_history", "text_history"]

KEPT: Final = (
    "utility", "utility_mcse", "utility_low", "utility_high", "prob_obd_admissible",
    "prob_obd_admissible_mcse", "rank", "admissible", "untried", names.N_TREATED,
    "recommended", "leading", "status",
)  # fmt: skip
NAME: Final = re.compile(r"interim-(\d+)")


def interims(folder: Path) -> dict[int, Path]:
    """Return the folders of the interims in `folder` by their numbers, ascending."""
    found = {int(m[1]): p for p in folder.glob("interim-*") if (m := NAME.fullmatch(p.name))}
    return dict(sorted(found.items()))


def next_interim(folder: Path) -> Path:
    """Return the folder of the next interim: ``interim-01``, ``interim-02`` and so on."""
    number = max(interims(folder), default=0) + 1
    return folder / f"interim-{number:02d}"


def history(folder: str | Path) -> xr.Dataset:
    """Read the decisions of all interims in a results folder.

    Parameters
    ----------
    folder
        Folder with ``interim-01``, ``interim-02`` ... as ``doseopt run --add`` leaves them.

    Returns
    -------
    xarray.Dataset
        Over (interim, dose): utility with its interval and Monte Carlo error, Pr(OBD) among
        admissible doses, rank, patients treated; over interim: status, recommended and leading dose.
        ``attrs["amended"]`` names the interims whose specification differs from the one before.

    Raises
    ------
    ResultsError
        Without interims, when the results of one are damaged, when candidate doses differ, or when the
        model changed and the specification did not.
    """
    parts_of = interims(Path(folder))
    if not parts_of:
        raise ResultsError(f"'{folder}' holds no interim-01", hint="run the analysis with --add")
    trees = {number: load_results(path) for number, path in parts_of.items()}
    parts = [tree["decision"].to_dataset()[list(KEPT)] for tree in trees.values()]
    doses = [tuple(part[names.DOSE].to_numpy()) for part in parts]
    if len(set(doses)) > 1:
        raise ResultsError(
            f"the interims in '{folder}' have different candidate doses: {doses}",
            hint="keep each set of candidate doses in a folder of its own",
        )
    plans = [str(tree.attrs.get("spec_sha256", "")) for tree in trees.values()]
    numbers = list(trees)
    _refuse_another_model(Path(folder), trees)
    amended = [n for n, a, b in zip(numbers[1:], plans, plans[1:], strict=False) if a != b]
    data = xr.concat(parts, dim="interim", combine_attrs="override")
    data = data.assign_coords(interim=numbers)
    table = trees[numbers[0]]["decision"].attrs
    data.attrs = {**style.interval_attrs(), "unit": str(table["unit"]), "amended": amended}
    return data


def _refuse_another_model(folder: Path, trees: dict[int, xr.DataTree]) -> None:
    """Refuse interims of one specification and of the same versions that computed different models."""
    same = ("spec_sha256", "version_pymc", "version_pytensor")
    found: dict[tuple[object, ...], tuple[int, object]] = {}
    for number, tree in trees.items():
        plan = tuple(tree.attrs.get(key) for key in same)
        model = tree.attrs.get("model_fingerprint")
        if not plan[0] or not model:
            continue
        first, known = found.setdefault(plan, (number, model))
        if model != known:
            raise ResultsError(
                f"interims {first} and {number} in '{folder}' follow one specification, but their "
                "models differ (model_fingerprint): the code of the model was changed",
                hint="run both with the same code, or amend the specification",
            )


def text_history(data: xr.Dataset) -> str:
    """Return one line per interim: patients, answer, and the rank of every dose."""
    unit = data.attrs["unit"]
    lines = []
    for number in data["interim"].to_numpy():
        row = data.sel(interim=number)
        best = float(row["recommended"])
        answer = f"{best:g} {unit}".rstrip() if np.isfinite(best) else str(row["status"].item())
        ranked = row[["rank", "prob_obd_admissible"]].drop_vars("interim").to_dataframe()
        order = [
            f"{dose:g} ({prose.probability(p)})"
            for dose, rank, p in ranked.sort_values("rank").itertuples()
            if np.isfinite(rank)
        ]
        note = " [specification amended]" if number in data.attrs["amended"] else ""
        n = int(row[names.N_TREATED].sum())
        lines.append(f"interim {number}: n = {n}, {answer}; {', '.join(order) or 'none'}{note}")
    return "\n".join([*lines, "In brackets: Pr(OBD) among the admissible doses."])


def save_history(folder: str | Path) -> dict[str, Path]:
    """Write ``history.csv``, ``.txt`` and the figure of :func:`history` beside the interims.

    Returns
    -------
    dict
        ``table``, ``words`` and ``figure``.
    """
    folder = Path(folder)
    data = history(folder)
    frame = data.drop_vars(["recommended", "leading", "status"]).to_dataframe()
    answer = data[["recommended", "status"]].to_dataframe()
    text: str = named_intervals(frame).join(answer, on="interim").to_csv(lineterminator="\n")
    table = write_whole(folder / "history.csv", text.encode())
    drawn = style.save(figure.draw_history(data), folder / "history")
    words = f"{text_history(data)}\n\nFigure: {figure.caption_history(data)}\n"
    said = write_whole(folder / "history.txt", words.encode())
    return {"table": table, "figure": drawn[0], "words": said}
