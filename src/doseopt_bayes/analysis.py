"""One analysis from start to end: the path that notebook and command line share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from doseopt_bayes import names
from doseopt_bayes.decision.alternatives import Alternatives, compare_alternatives
from doseopt_bayes.decision.decide import Decision, decide
from doseopt_bayes.decision.sensitivity import Sensitivity, assess_sensitivity
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.inference.nuts import DRAWS, Sampler, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.base import DoseModel
    from doseopt_bayes.plan import Plan

__all__ = ["Analysis", "analyse", "check_reads"]


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
    alternatives
        Label to the same analysis under another model.
    """

    model: DoseModel
    data: TrialData
    posterior: Posterior
    decision: Decision
    plan: Plan | None = None
    alternatives: Mapping[str, Analysis] = field(default_factory=dict)

    @cached_property
    def sensitivity(self) -> Sensitivity | None:
        """What would change the leading dose, computed once; ``None`` for several groups at once."""
        if self.decision.status.ndim:
            return None
        return assess_sensitivity(
            self.posterior,
            self.decision,
            model=self.model,
            data=self.data,
            alternatives=self._compared() if self.alternatives else None,
        )

    def _compared(self) -> Alternatives:
        failed = {
            label: "; ".join(str(c) for c in other.posterior.diagnostics.failures)
            for label, other in self.alternatives.items()
            if not other.posterior.diagnostics.passed
        }
        others = {label: other.decision for label, other in self.alternatives.items()}
        return compare_alternatives(self.decision, others, failed)

    def __repr__(self) -> str:
        return str(self.decision)


def analyse(
    model: DoseModel,
    data: TrialData,
    utility: Utility,
    rules: Rule,
    *,
    criterion: str | Criterion = "mean_utility",
    alternatives: Mapping[str, DoseModel] | None = None,
    seed: int | None = None,
    sampler: Sampler = "nutpie",
    draws: int = DRAWS,
    tune: int = 1000,
    chains: int = 4,
    override_diagnostics: bool = False,
    plan: Plan | None = None,
    progress: Callable[[str], None] | None = None,
) -> Analysis:
    """Fit `model` to `data` and decide.

    Draws are added, up to 64,000, while Monte Carlo error alone could change the answer.

    Parameters
    ----------
    model, data, seed, sampler, draws, tune, chains
        As in :func:`~doseopt_bayes.inference.nuts.fit`.
    utility, rules, criterion, override_diagnostics
        As in :func:`~doseopt_bayes.decision.decide.decide`.
    alternatives
        Label to another model: the same data and rules are decided under each, and the report says
        whether the leading dose stays. One that fails its diagnostics ranks nothing.
    plan
        The specification that all of this comes from, if any.
    progress
        Called with a few words before each step that takes time.

    Returns
    -------
    Analysis
        For :func:`~doseopt_bayes.plots.picture.figure` and
        :func:`~doseopt_bayes.report.bundle.save`.

    Raises
    ------
    DiagnosticsError
        When the fit failed its diagnostics and that is not overridden.
    DoseOptError
        Before anything is sampled, when the utility reads what a model does not have.
    """
    say = progress or _silent
    alternatives = dict(alternatives or {})
    for label, one in {"the model": model, **alternatives}.items():
        check_reads(utility, one, label)
    settings: dict[str, Any] = {"sampler": sampler, "draws": draws, "tune": tune, "chains": chains}

    def run(one: DoseModel, seed: int | None, *, override: bool) -> tuple[Posterior, Decision]:
        judged: list[Decision] = []

        def judge(posterior: Posterior) -> Decision:
            found = decide(
                posterior, utility, rules, criterion=criterion, override_diagnostics=override
            )
            judged.append(found)
            return found

        posterior = fit(
            one, data, seed=seed, **settings,
            enough=lambda p: bool((judge(p).status != "not resolved").all()),
        )  # fmt: skip
        # the last draws were judged already, unless they could not be extended
        last = judged[-1] if judged and bool((judged[-1].status != "not resolved").all()) else None
        return posterior, last or judge(posterior)

    say("compiling and sampling the model")
    posterior, decision = run(model, seed, override=override_diagnostics)
    again = int(posterior.tree.attrs["seed"])
    others = {}
    for label, one in alternatives.items():
        say(f"compiling and sampling the alternative '{label}'")
        # its failure is said in the comparison, and must not cost the analysis
        others[label] = Analysis(one, data, *run(one, again, override=True))
    return Analysis(model, data, posterior, decision, plan, others)


def check_reads(utility: Utility, model: DoseModel, label: str) -> None:
    """Refuse a utility that reads what the model will not have, before any sampling."""
    pair = {names.TOX, names.EFF} <= set(model.endpoints)  # one of them alone has no joint outcomes
    known = [*[names.P_CELL] * pair, *map(names.probability, model.endpoints)]
    missing = [name for name in utility.reads if name not in known]
    if missing:
        raise DoseOptError(
            f"the utility reads {', '.join(missing)}, which {label} does not have "
            f"(it has {', '.join(known)})",
            hint="others = [...] adds further endpoints to a model",
        )


def _silent(text: str) -> None:
    """Say nothing."""
