"""One analysis from start to end: the path that notebook and command line share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from doseopt_bayes.decision.decide import Decision, decide
from doseopt_bayes.inference.nuts import Sampler, fit

if TYPE_CHECKING:
    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.base import DoseModel
    from doseopt_bayes.plan import Plan

__all__ = ["Analysis", "analyse"]


@dataclass(frozen=True, eq=False)
class Analysis:
    """A finished analysis: all that a table, a figure or a report prints.

    Parameters
    ----------
    model, data, posterior, decision
        What was fitted, to what, and what followed; no number is kept anywhere else.
    plan
        The pre-specification that was followed; ``None`` when the analysis was put together in
        Python, which the report says.
    """

    model: DoseModel
    data: TrialData
    posterior: Posterior
    decision: Decision
    plan: Plan | None = None

    def __repr__(self) -> str:
        return str(self.decision)


def analyse(
    model: DoseModel,
    data: TrialData,
    utility: Utility,
    rules: Rule,
    *,
    criterion: str | Criterion = "mean_utility",
    seed: int | None = None,
    sampler: Sampler = "nutpie",
    draws: int = 2500,
    tune: int = 1000,
    chains: int = 4,
    override_diagnostics: bool = False,
    plan: Plan | None = None,
) -> Analysis:
    """Fit `model` to `data` and decide.

    Draws are added, up to 64,000, while Monte Carlo error alone could change the answer.

    Parameters
    ----------
    model, data, seed, sampler, draws, tune, chains
        As in :func:`~doseopt_bayes.inference.nuts.fit`.
    utility, rules, criterion, override_diagnostics
        As in :func:`~doseopt_bayes.decision.decide.decide`.
    plan
        The specification that all of this comes from, if any.

    Returns
    -------
    Analysis
        For :func:`~doseopt_bayes.plots.picture.figure` and
        :func:`~doseopt_bayes.report.bundle.save`.

    Raises
    ------
    DiagnosticsError
        When the fit failed its diagnostics and that is not overridden.
    """

    def judge(posterior: Posterior) -> Decision:
        return decide(
            posterior,
            utility,
            rules,
            criterion=criterion,
            override_diagnostics=override_diagnostics,
        )

    posterior = fit(
        model,
        data,
        seed=seed,
        sampler=sampler,
        draws=draws,
        tune=tune,
        chains=chains,
        enough=lambda p: bool((judge(p).status != "not resolved").all()),
    )
    return Analysis(model, data, posterior, judge(posterior), plan)
