"""One analysis from start to end: the path that notebook and command line share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from doseopt_bayes import names
from doseopt_bayes.decision.alternatives import Alternatives, compare_alternatives
from doseopt_bayes.decision.decide import Decision, decide
from doseopt_bayes.decision.differs import prob_obd_differs
from doseopt_bayes.decision.pooling import Pooling, pooling
from doseopt_bayes.decision.population import population
from doseopt_bayes.decision.sensitivity import Sensitivity, assess_sensitivity
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.heterogeneity import Heterogeneity, assess_heterogeneity
from doseopt_bayes.inference.levels import PART
from doseopt_bayes.inference.nuts import DRAWS, Sampler, fit
from doseopt_bayes.models.ends import FULL, NONE, ends_of, pools
from doseopt_bayes.models.tallied import check_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import xarray as xr

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.base import DoseModel
    from doseopt_bayes.plan import Plan

__all__ = ["Analysis", "analyse", "check_reads"]

SAME: Final = 1e-9  # by which two numbers that are one may differ


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
        Label to the same analysis under another model. Of a model that pools over subgroups, "no
        pooling" and "full pooling" are among them.
    added
        Those of the alternatives that were added by default.
    saved
        What `heterogeneity` is, where it was read from saved results.
    shared
        Of one subgroup, the endpoints whose outcomes are known for all patients together only.

    Notes
    -----
    With subgroups every number of the decision lies over them. ``pooling``, ``population``, ``differs``
    and ``heterogeneity`` are about all of them; :meth:`at` is the analysis of one, for every figure and
    table of one group.
    """

    model: DoseModel
    data: TrialData
    posterior: Posterior
    decision: Decision
    plan: Plan | None = None
    alternatives: Mapping[str, Analysis] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    saved: Heterogeneity | None = None
    shared: tuple[str, ...] = ()

    @property
    def known_together(self) -> tuple[str, ...]:
        """Endpoints whose outcomes are known for all patients together only, not by subgroup."""
        seen = self.posterior.seen
        if not self.decision.status.ndim or names.N_TOGETHER not in seen:
            return self.shared
        many = seen[names.N_TOGETHER].sum(names.DOSE)
        return tuple(str(e) for e in many[names.ENDPOINT].to_numpy() if int(many.sel(endpoint=e)))

    @property
    def stamps(self) -> tuple[str, ...]:
        """What must be printed on every output: of the decision, and of its subgroups."""
        said = list(self.decision.stamps)
        attrs = self.posterior.tree.attrs
        what = str(attrs.get("groupings", names.SUBGROUP)).replace(",", ", ")
        if attrs.get("groups_declared") == "no" and what:
            said.append(f"{what.upper()} NOT PRE-SPECIFIED: its levels were read off the data")
        if self.known_together:
            said.append(
                f"{', '.join(self.known_together).upper()} KNOWN FOR ALL PATIENTS TOGETHER ONLY: "
                f"taken to be the same in every {what}"
            )
        return tuple(said)

    @property
    def subgroups(self) -> tuple[dict[str, str], ...]:
        """Grouping to level of each combination that is decided by itself; none without subgroups."""
        status = self.decision.status
        if not status.ndim:
            return ()
        index = status.stack(_at=list(status.dims))["_at"].to_numpy()
        return tuple({str(d): str(v) for d, v in zip(status.dims, at, strict=True)} for at in index)

    @cached_property
    def sensitivity(self) -> Sensitivity | None:
        """What would change the leading dose, computed once; ``None`` for several groups at once.

        Of one subgroup the power-scaling is left out: the prior is that of all subgroups, and
        `heterogeneity` of the whole analysis scales it.
        """
        if self.decision.status.ndim:
            return None
        whole = PART not in self.posterior.tree.attrs
        return assess_sensitivity(
            self.posterior,
            self.decision,
            model=self.model if whole else None,
            data=self.data if whole else None,
            alternatives=self._compared() if self.alternatives else None,
        )

    @cached_property
    def pooling(self) -> Pooling | None:
        """How far pooling moved each subgroup, and how much it borrowed; ``None`` when none did.

        Of the endpoints whose probability differs between subgroups.
        """
        if not self.decision.status.ndim or NONE not in self.alternatives:
            return None
        together = self.alternatives.get(FULL)
        found = pooling(
            self.posterior,
            self.alternatives[NONE].posterior,
            None if together is None else together.posterior,
        )
        # one number for all subgroups is not shrunk: what its table would show is Monte Carlo error
        own = [e for e in found.table[names.ENDPOINT].to_numpy() if self._differs_in(str(e))]
        return replace(found, table=found.table.sel({names.ENDPOINT: own})) if own else found

    def _differs_in(self, endpoint: str) -> bool:
        p = self.posterior[names.probability(endpoint)]
        over = [d for d in self.posterior.groupings if d in p.dims]
        # a sum of cells differs in its last bits
        return bool((p.max(over) - p.min(over) > SAME).any())

    @cached_property
    def population(self) -> Decision | None:
        """The decision for all subgroups together; ``None`` without subgroups or treated patients.

        Probabilities are averaged by the shares of treated patients inside each draw.
        """
        if not self.decision.status.ndim or not int(self.posterior.seen[names.N_TREATED].sum()):
            return None
        # the gate has spoken: the analysis would have no decision if it had to stop here
        return decide(
            population(self.posterior),
            self.decision.utility,
            self.decision.rules,
            criterion=self.decision.criterion,
            override_diagnostics=True,
        )

    @cached_property
    def differs(self) -> xr.Dataset | None:
        """Pr(the best dose of one subgroup is not that of another); ``None`` without subgroups."""
        if not self.decision.status.ndim:
            return None
        return prob_obd_differs(self.posterior, self.decision)

    @cached_property
    def heterogeneity(self) -> Heterogeneity | None:
        """Whether the answers rest on the priors of tau: refits, on request; ``None`` without any."""
        if self.saved is not None or not self.decision.status.ndim or not pools(self.model):
            return self.saved
        return assess_heterogeneity(self.posterior, self.decision, self.model, self.data)

    def at(self, **levels: str) -> Analysis:
        """Return the analysis of one subgroup, for example ``at(subgroup="mBCC")``.

        Parameters
        ----------
        **levels
            Grouping to level; groupings that are not named stay.

        Returns
        -------
        Analysis
            Of the same draws and the same decision, with the subgroup's own data. The model is that of
            all subgroups.

        Raises
        ------
        DoseOptError
            On an unknown grouping or level.
        """
        post, decision = self.posterior.at(**levels), self.decision.at(**levels)
        # the counts as the model read them: a level without patients is a level all the same
        groups = {
            str(d): tuple(map(str, x.to_numpy())) for d, x in self.decision.status.coords.items()
        }
        laid = replace(self.data, counts=self.posterior.seen, groups=groups)
        data = laid.at(**levels) if self.data.groups else replace(self.data, counts=post.seen)
        others = {
            label: other.at(**levels) if other.decision.status.ndim else other
            for label, other in self.alternatives.items()
        }
        return Analysis(
            self.model,
            data,
            post,
            decision,
            self.plan,
            others,
            self.added,
            shared=self.known_together,
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
        whether the leading dose stays. One that fails its diagnostics ranks nothing. When `model` pools
        over subgroups, "no pooling" and "full pooling" are added, which the report says.
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
        Before anything is sampled, when the utility reads what a model does not have, or the prior of
        a model cannot take outcomes that were counted apart.
    """
    say = progress or _silent
    alternatives = dict(alternatives or {})
    added = ends_of(model, alternatives)
    alternatives |= added
    for label, one in {"the model": model, **alternatives}.items():
        check_reads(utility, one, label)
        check_apart(one, data, label)
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
    return Analysis(model, data, posterior, decision, plan, others, tuple(added))


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
