"""Candidate curves, or exposure metrics, side by side: which predicts better, if that is resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes.choice.loo import FOLDS, MAX_REFITS, REFIT, LooResult, leave_one_out
from doseopt_bayes.choice.subset import labels_of, only
from doseopt_bayes.choice.weights import model_weights
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.batch import preview

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.exposure_response import ExposureResponse

__all__ = ["MODEL", "Comparison", "compare_exposures", "compare_models", "compare_results"]

MODEL: Final = "model"
ERRORS: Final = 2.0  # standard errors within which a difference is not resolved
SMALL: Final = (
    4.0  # difference below which its standard error is not to be trusted (Sivula et al. 2025)
)
FEW: Final = 100  # rows below which that error is uncertain (the same)
BEST, WORSE, OPEN = "best", "worse", "not resolved"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models ranked by how well they predict patients left out.

    Parameters
    ----------
    table
        Over ``model``, best first: ``elpd`` with ``se`` and ``mcse``, ``difference`` to the best with
        ``difference_se`` (paired over patients, Monte Carlo error included), ``verdict`` (best, worse or
        not resolved), ``weight`` (stacking) with ``weight_sd``, ``pseudo_bma``, ``p_loo``, ``khat`` (the
        largest), ``refitted`` (patients), ``shape``, ``exposure``.
    results
        The leave-one-out result of each model.
    models, posteriors
        What was compared, for an average; empty when results alone were.
    notes
        What was left out, and what else to know.
    """

    table: xr.Dataset
    results: Mapping[str, LooResult]
    models: Mapping[str, ExposureResponse]
    posteriors: Mapping[str, Posterior]
    notes: tuple[str, ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        """Stacking weight of each model, best first."""
        found = zip(self.table[MODEL].to_numpy(), self.table["weight"].to_numpy(), strict=True)
        return {str(m): float(w) for m, w in found}

    @property
    def pseudo_bma(self) -> dict[str, float]:
        """Pseudo-BMA+ weight of each model, best first."""
        found = zip(self.table[MODEL].to_numpy(), self.table["pseudo_bma"].to_numpy(), strict=True)
        return {str(m): float(w) for m, w in found}

    @property
    def best(self) -> str:
        """Model of the highest elpd, resolved or not."""
        return str(self.table[MODEL].to_numpy()[0])

    @property
    def not_resolved(self) -> tuple[str, ...]:
        """Models that may predict as well as the best."""
        at = self.table["verdict"].to_numpy() == OPEN
        return tuple(map(str, self.table[MODEL].to_numpy()[at]))

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per model."""
        found: pd.DataFrame = self.table.to_dataframe().reset_index()
        return found

    def sentences(self) -> tuple[str, ...]:
        """Say what is resolved, and which model carries an average."""
        first = next(iter(self.results.values()))
        said = [f"{first.endpoint}: {first.n} {first.unit}s left out in turn; {first.scale}."]
        t = self.table
        worse = [
            m for m in t[MODEL].to_numpy() if str(t["verdict"].sel({MODEL: m}).item()) == WORSE
        ]
        if len(t[MODEL]) == 1:
            said.append(f"{self.best} stands alone: nothing was compared.")
        elif self.not_resolved:
            said.append(
                f"Not resolved: {self.best} has the highest elpd, but {_and(self.not_resolved)} may "
                f"predict as well (difference within {ERRORS:g} standard errors, or below {SMALL:g})."
            )
        else:
            said.append(f"{self.best} predicts better than every other.")
        if worse and self.not_resolved:
            said.append(
                f"{_and(worse)} {'predicts' if len(worse) == 1 else 'predict'} worse than {self.best}."
            )
        if first.n < FEW and len(t[MODEL]) > 1:
            said.append(
                f"{first.n} {first.unit}s are few: the error of a difference is itself uncertain."
            )
        top = max(self.weights, key=self.weights.__getitem__)
        w = self.weights[top]
        sd = float(t["weight_sd"].sel({MODEL: top}))
        how = "carries the average"
        if w - ERRORS * sd <= 0.5:
            how = "has the largest weight, but that it carries the average is not resolved"
        said.append(
            f"{top} {how}: stacking weight {w:.2f} (sd {sd:.2f} over resampled {first.unit}s)."
        )
        if self.not_resolved:
            said.append(
                "Stacking weights say which mixture predicts best, not how probable a shape is: by "
                f"pseudo-BMA+ {top} has {self.pseudo_bma[top]:.2f}."
            )
        return (*said, *self.notes)

    def __str__(self) -> str:
        t = self.table
        width = max(len("model"), *(len(str(m)) for m in t[MODEL].to_numpy()))
        lines = [
            f"{'model':<{width}}     elpd    difference (se)  weight  pseudo-BMA+  max k  verdict"
        ]
        for m in t[MODEL].to_numpy():
            r = t.sel({MODEL: m})
            gap = f"{float(r['difference']):.1f} ({float(r['difference_se']):.1f})"
            lines.append(
                f"{m!s:<{width}} {float(r['elpd']):8.1f} {gap:>18}  {float(r['weight']):6.2f} "
                f"{float(r['pseudo_bma']):12.2f} {float(r['khat']):6.2f}  {r['verdict'].item()}"
            )
        return "\n".join([*lines, *self.sentences()])

    __repr__ = __str__


def compare_models(
    candidates: Mapping[str, tuple[ExposureResponse, Posterior]],
    data: ExposureData,
    *,
    seed: int = 0,
    max_refits: int = MAX_REFITS,
    folds: int = FOLDS,
) -> Comparison:
    """Compare fitted curves of one endpoint on the same patients.

    Parameters
    ----------
    candidates
        Label to recipe and its fit. Shapes, covariates, priors and families of one kind may differ.
    data
        The data that all were fitted to.
    seed
        Of refits and bootstraps.
    max_refits, folds
        As for :func:`~doseopt_bayes.choice.loo.leave_one_out`.

    Returns
    -------
    Comparison
        Best first, with stacking and pseudo-BMA+ weights.

    Raises
    ------
    DoseOptError
        When the models predict other rows or endpoints, or densities on other scales.
    DiagnosticsError
        When a fit failed its diagnostics.

    Notes
    -----
    A difference is resolved when it is beyond 2 standard errors and at least 4: below that the normal
    approximation of its error fails (Sivula, Magnusson, Matamoros and Vehtari 2025).
    """
    if not candidates:
        raise DoseOptError("no candidate models were given")
    keys = {label: labels_of(model, data) for label, (model, _) in candidates.items()}
    first, *rest = keys
    for label in rest:  # before the work of leaving out
        lacks = set(keys[first]) ^ set(keys[label])
        if lacks:
            raise DoseOptError(
                f"'{first}' and '{label}' read other rows of the data ({len(keys[first])} and "
                f"{len(keys[label])}; {len(lacks)} rows are in one alone, for example {min(lacks)}), so "
                "that their predictions cannot be compared",
                hint="compare_exposures() compares on the patients that all can read",
            )
    results = {
        label: leave_one_out(model, data, post, seed=seed, max_refits=max_refits, folds=folds)
        for label, (model, post) in candidates.items()
    }
    models = {label: model for label, (model, _) in candidates.items()}
    posts = {label: post for label, (_, post) in candidates.items()}
    return compare_results(results, seed=seed, models=models, posteriors=posts)


def compare_results(
    results: Mapping[str, LooResult],
    *,
    seed: int = 0,
    models: Mapping[str, ExposureResponse] | None = None,
    posteriors: Mapping[str, Posterior] | None = None,
    notes: tuple[str, ...] = (),
) -> Comparison:
    """Compare leave-one-out results that are there already.

    Parameters
    ----------
    results
        Label to result.
    seed
        Of bootstraps.
    models, posteriors, notes
        Kept in the comparison.

    Raises
    ------
    DoseOptError
        When they are of other endpoints, rows or scales.
    """
    if not results:
        raise DoseOptError("no results were given")
    label, first = next(iter(results.items()))
    for other, one in results.items():
        if one.endpoint != first.endpoint or one.key != first.key:
            raise DoseOptError(
                f"'{label}' predicts {first.endpoint} in {first.n} {first.unit}s and '{other}' "
                f"{one.endpoint} in {one.n} {one.unit}s: not the same rows of data"
            )
        if one.scale != first.scale:
            raise DoseOptError(
                f"'{label}' gives the {first.scale}, '{other}' the {one.scale}: numbers on two scales "
                "cannot be compared"
            )
    order = sorted(results, key=lambda k: -results[k].elpd)
    each = np.stack([results[k].pointwise["elpd"].to_numpy() for k in order], axis=1)
    gap = each - each[:, :1]
    error = np.sqrt(
        len(each) * gap.var(axis=0)
        + np.array([0.0, *(results[k].mcse ** 2 + results[order[0]].mcse ** 2 for k in order[1:])])
    )
    difference = gap.sum(axis=0)
    resolved = (-difference > ERRORS * error) & (-difference >= SMALL)
    verdict = np.where(resolved, WORSE, OPEN).astype(object)
    verdict[0] = BEST
    weights = model_weights(each, seed)
    columns: dict[str, Any] = {
        "elpd": [results[k].elpd for k in order],
        "se": [results[k].se for k in order],
        "mcse": [results[k].mcse for k in order],
        "difference": difference,
        "difference_se": error,
        "verdict": verdict.astype(str),
        "weight": weights.stacking,
        "weight_sd": weights.stacking_sd,
        "pseudo_bma": weights.pseudo_bma,
        "p_loo": [results[k].p_loo for k in order],
        "khat": [float(results[k].pointwise["khat"].max()) for k in order],
        "refitted": [int((results[k].pointwise["how"] == REFIT).sum()) for k in order],
        "shape": [results[k].title for k in order],
        "exposure": [results[k].exposure for k in order],
    }
    table = xr.Dataset(
        {name: (MODEL, x) for name, x in columns.items()},
        coords={MODEL: order},
        attrs={"endpoint": first.endpoint, "n": first.n, "unit": first.unit, "scale": first.scale,
               "seed": seed, "weight_gap": weights.gap},
    )  # fmt: skip
    said = [f"{k}: {note}" for k in order for note in results[k].notes if results[k].refitted]
    said += [] if said else ["No prediction needed a refit: every Pareto k is below its limit."]
    return Comparison(
        table, {k: results[k] for k in order}, dict(models or {}), dict(posteriors or {}),
        (*notes, *said),
    )  # fmt: skip


def compare_exposures(
    models: Mapping[str, ExposureResponse],
    data: ExposureData,
    *,
    seed: int = 0,
    fitter: Callable[[ExposureResponse, ExposureData], Posterior] | None = None,
    max_refits: int = MAX_REFITS,
    folds: int = FOLDS,
) -> Comparison:
    """Choose an exposure metric by how well it predicts the same patients.

    Parameters
    ----------
    models
        Label to recipe, as a rule one per exposure metric.
    data
        With all the metrics. A patient without one of them is left out of all fits, and counted.
    seed
        Of fits, refits and bootstraps.
    fitter
        Called on recipe and data; :func:`~doseopt_bayes.inference.batch.preview` without.
    max_refits, folds
        As for :func:`compare_models`.

    Returns
    -------
    Comparison
        With the fits on the patients in common in ``posteriors``.

    Raises
    ------
    DoseOptError
        When no patient can be read by all, or the models are of several endpoints.
    """
    if not models:
        raise DoseOptError("no candidate models were given")
    labels = {name: labels_of(model, data) for name, model in models.items()}
    shared = set.intersection(*map(set, labels.values()))
    if not shared:
        raise DoseOptError(f"no patient has what each of {_and(list(models))} reads")
    every = set.union(*map(set, labels.values()))
    notes = []
    if every - shared:
        lost = ", ".join(f"{len(every - set(x))} by {name}" for name, x in labels.items())
        notes.append(
            f"{len(every - shared)} of {len(every)} rows are left out of every fit, because a model "
            f"cannot read them ({lost})."
        )
    common = only(data, shared, notes[0] if notes else "") if notes else data
    fit = fitter or (lambda model, rows: preview(model, rows, seed=seed))
    fits = {name: (model, fit(model, common)) for name, model in models.items()}
    found = compare_models(fits, common, seed=seed, max_refits=max_refits, folds=folds)
    return Comparison(
        found.table, found.results, found.models, found.posteriors, (*notes, *found.notes)
    )


def _and(words: Any) -> str:
    words = list(map(str, words))
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
