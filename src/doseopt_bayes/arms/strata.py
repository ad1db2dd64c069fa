"""Randomised arms compared in each stratum, and over the strata with weights that are stated."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  (field types, read at run time)
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.arms.compare import PAIR, ArmComparison, compare_arms
from doseopt_bayes.arms.margin import endpoint_draws
from doseopt_bayes.arms.pairs import pairs_of
from doseopt_bayes.decision.decide import INTERVAL
from doseopt_bayes.decision.population import population
from doseopt_bayes.decision.prose import error, probability
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from doseopt_bayes.arms.margin import Margin
    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior

__all__ = ["StratifiedComparison", "compare_strata", "differences_by", "levels_of"]

STRATUM = "stratum"


@dataclass(frozen=True, eq=False)
class StratifiedComparison:
    """Arms compared in each stratum and over all of them, on the same draws.

    Parameters
    ----------
    over
        The grouping that the randomisation was stratified by.
    strata
        A comparison for each stratum, by its name.
    average
        The comparison of a patient drawn at random from the population: the answer.
    weights
        Share of each stratum in that population; they sum to 1.
    table
        Over ``pair`` and ``endpoint``: ``differs``, the probability that low - high has another sign in
        one stratum than in another, and ``spread``, the largest less the smallest difference over the
        strata (posterior mean, >= 0) with its equal-tailed 95 % interval; each with ``_mcse``.
    sentences
        The average, and how far the strata agree, in words.
    """

    over: str
    strata: Mapping[str, ArmComparison]
    average: ArmComparison
    weights: Mapping[str, float]
    table: xr.Dataset
    sentences: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Table with a row per stratum (``average`` last), pair and endpoint."""
        import pandas as pd  # noqa: PLC0415

        every = {**self.strata, "average": self.average}
        frames = [one.to_frame().assign(**{STRATUM: name}) for name, one in every.items()]
        frame = pd.concat(frames, ignore_index=True)
        return frame[[STRATUM, *(c for c in frame if c != STRATUM)]]

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def compare_strata(
    post: Posterior,
    *,
    margins: Sequence[Margin],
    utility: Utility,
    over: str = STRATUM,
    weights: Mapping[str, float] | None = None,
    rules: Rule | None = None,
    criterion: str | Criterion = "mean_utility",
    pairs: Sequence[tuple[float | str, float | str]] | None = None,
    certainty: float = 0.8,
    override_diagnostics: bool = False,
) -> StratifiedComparison:
    """Compare randomised arms within strata, and decide on the average over the strata.

    Parameters
    ----------
    post
        A fitted posterior with one grouping of the patients, `over`; nothing is refitted. Of
        ``Saturated`` with ``groups`` each stratum stands by itself; with ``Pooled`` priors the strata
        borrow from each other.
    margins, utility, rules, criterion, certainty, override_diagnostics
        As in :func:`~doseopt_bayes.arms.compare.compare_arms`.
    over
        Name of the grouping.
    weights
        Stratum to its share of the population that is decided for. By default the shares of treated
        patients, which are those of the trial: a trial that enriched a stratum gives it too much.
    pairs
        Pairs (low, high); by default every pair of arms that has patients in each stratum.

    Returns
    -------
    StratifiedComparison
        The average is taken inside each draw, with the same weights in every arm, so that strata of
        different size in the arms do not confound it.

    Raises
    ------
    DiagnosticsError
        When the fit failed its diagnostics and that is not overridden.
    DoseOptError
        On another grouping or several, a single stratum, weights that are no shares, a pair without
        patients in a stratum, and as `compare_arms`.

    Notes
    -----
    Strata that are truly alike show different signs by chance: with K of them, no data and no
    difference, in a share of 1 - 2^(1 - K) of the draws. ``differs`` near that says that the data do
    not tell; it is not evidence of an interaction.
    """
    levels = levels_of(post, over)
    if len(levels) < 2:
        raise DoseOptError(
            f"{over} has one level, {levels[0]}",
            hint=f'compare_arms(post.at({over}="{levels[0]}"))',
        )
    parts = {level: post.at(**{over: level}) for level in levels}
    chosen, skipped = _pairs(parts, over, pairs)
    given = {
        "margins": margins, "utility": utility, "rules": rules, "criterion": criterion,
        "pairs": chosen, "certainty": certainty, "override_diagnostics": override_diagnostics,
    }  # fmt: skip
    whole = population(post, None if weights is None else dict(weights.items()))
    average = compare_arms(whole, **given)  # type: ignore[arg-type]
    strata = {level: compare_arms(part, **given) for level, part in parts.items()}  # type: ignore[arg-type]
    ends = [str(e) for e in average.table[names.ENDPOINT].to_numpy()]
    differences = differences_by(parts, utility, chosen, ends, average.table[PAIR], STRATUM)
    table = _agreement(post, differences)
    table.attrs = dict(average.table.attrs)
    shares = _shares(post, over, weights, levels)
    said = _sentences(average, strata, table, shares, over, given_weights=weights is not None)
    return StratifiedComparison(over, strata, average, shares, table, (*skipped, *said))


def levels_of(post: Posterior, over: str) -> tuple[str, ...]:
    """Return the levels of the only grouping of a posterior.

    Raises
    ------
    DoseOptError
        Without it, or with other groupings beside it.
    """
    if over not in post.groupings:
        raise DoseOptError(
            f"the posterior has no grouping '{over}'",
            hint=did_you_mean(over, list(post.groupings))
            if post.groupings
            else f'fit a model with groups={{"{over}": (...)}} to data that were read with it',
        )
    if len(post.groupings) > 1:
        others = [g for g in post.groupings if g != over]
        raise DoseOptError(
            f"the posterior lies over {', '.join(others)} too",
            hint=f'take one level: post.at({others[0]}="...")',
        )
    return tuple(str(x) for x in post.draws[over].to_numpy())


def differences_by(
    parts: Mapping[str, Posterior], utility: Utility, pairs: Sequence[tuple[float, float]],
    ends: Sequence[str], labels: xr.DataArray, dim: str,
) -> xr.DataArray:  # fmt: skip
    """Draws of low - high over `dim` (the parts), ``pair`` and ``endpoint``."""
    found = []
    for part in parts.values():
        u = utility({name: part[name] for name in utility.reads})
        rows = []
        draws = [endpoint_draws(part, u, e).reset_coords(drop=True) for e in ends]
        for low, high in pairs:
            sides = [(x.sel({names.DOSE: low}, drop=True), x.sel({names.DOSE: high}, drop=True))
                     for x in draws]  # fmt: skip
            lost = [one - two for one, two in sides]
            rows.append(xr.concat(lost, dim=names.ENDPOINT, coords="minimal", compat="override"))
        found.append(xr.concat(rows, dim=PAIR, coords="minimal", compat="override"))
    both = xr.concat(found, dim=dim, coords="minimal", compat="override")
    return both.assign_coords(
        {dim: list(parts), PAIR: labels.to_numpy(), names.ENDPOINT: list(ends)}
    )


def _pairs(
    parts: Mapping[str, Posterior],
    over: str,
    given: Sequence[tuple[float | str, float | str]] | None,
) -> tuple[tuple[tuple[float, float], ...], tuple[str, ...]]:
    """Return the pairs that every stratum has patients for, and which were left out."""
    found: list[tuple[tuple[float, float], ...]] = []
    for level, part in parts.items():
        try:
            found.append(pairs_of(part, given))
        except DoseOptError as fault:
            raise DoseOptError(f"{over} {level}: {fault.message}", hint=fault.hint) from None
    every = list(dict.fromkeys(p for here in found for p in here))
    kept = tuple(p for p in every if all(p in here for here in found))
    if not kept:
        raise DoseOptError(
            f"no pair of arms has patients in every {over}",
            hint=f'compare_arms(post.at({over}="...")) compares one',
        )
    gone = [f"{low:g} vs {high:g}" for low, high in every if (low, high) not in kept]
    said = f"Not compared, because a {over} has no patients in an arm of it: {', '.join(gone)}."
    return kept, (said,) if gone else ()


def _agreement(post: Posterior, x: xr.DataArray) -> xr.Dataset:
    differs = ~((x > 0).all(STRATUM) | (x <= 0).all(STRATUM))
    spread = x.max(STRATUM) - x.min(STRATUM)
    tail = (1 - INTERVAL) / 2
    found = {"differs": post.prob(differs), "differs_mcse": post.mcse(differs),
             "spread": post.expect(spread), "spread_mcse": post.mcse(spread)}  # fmt: skip
    for end, q in (("low", tail), ("high", 1 - tail)):
        found |= {
            f"spread_{end}": post.quantile(spread, q),
            f"spread_{end}_mcse": post.mcse(spread, q=q),
        }
    return xr.Dataset(found)


def _shares(
    post: Posterior, over: str, weights: Mapping[str, float] | None, levels: Sequence[str]
) -> dict[str, float]:
    if weights is None:
        treated = post.seen[names.N_TREATED].sum(names.DOSE)
        found = np.array([float(treated.sel({over: level})) for level in levels])
    else:
        found = np.array([float(weights[level]) for level in levels])
    return dict(zip(levels, (found / found.sum()).tolist(), strict=True))


def _sentences(
    average: ArmComparison, strata: Mapping[str, ArmComparison], table: xr.Dataset,
    shares: Mapping[str, float], over: str, *, given_weights: bool,
) -> tuple[str, ...]:  # fmt: skip
    each = ", ".join(f"{k} {v:.3g}" for k, v in shares.items())
    why = "as given" if given_weights else "shares of treated patients: those of the trial"
    said = [f"Averaged over {over} with the weights {each} ({why}).", *average.sentences]
    chance = 1 - 2.0 ** (1 - len(strata))
    for pair in table[PAIR].to_numpy():
        joint = {k: float(s.table["joint"].sel({PAIR: pair})) for k, s in strata.items()}
        shown = ", ".join(f"{k} {probability(p)}" for k, p in joint.items())
        said.append(f"{pair}: the probability of all margins at once by {over}: {shown}.")
        for end in table[names.ENDPOINT].to_numpy():
            at = table.sel({PAIR: pair, names.ENDPOINT: end})
            said.append(
                f"{pair}, {end}: Pr(another direction in one {over} than in another) "
                f"{probability(float(at['differs']))} (MCSE {error(float(at['differs_mcse']))}); the "
                f"differences lie {float(at['spread']):.3f} apart (95 % interval "
                f"{float(at['spread_low']):.3f} to {float(at['spread_high']):.3f})."
            )
    said.append(
        f"Without data and without any difference, {len(strata)} strata disagree in direction with "
        f"probability {chance:g}: near that, the data do not tell whether they do."
    )
    return tuple(said)
