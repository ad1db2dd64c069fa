"""A comparison of randomised arms from start to end: the path that notebook and command line share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from doseopt_bayes.analysis import Analysis, check_reads
from doseopt_bayes.arms.band import GRID, AssociationBand, association_band
from doseopt_bayes.arms.compare import PAIR
from doseopt_bayes.arms.configuration import Configuration, Configurations, compare_configurations
from doseopt_bayes.arms.margin import MEASURED, UTILITY
from doseopt_bayes.decision.rules import TriedOnly
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.inference.nuts import DRAWS, Sampler, fit
from doseopt_bayes.models.tallied import check_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from doseopt_bayes.arms.compare import ArmComparison
    from doseopt_bayes.arms.tipping import ArmSensitivity
    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.models.base import DoseModel
    from doseopt_bayes.plan import Plan

__all__ = ["ArmQuestions", "ArmsAnalysis", "analyse_arms", "check_endpoints", "default_rules"]

OPEN: Final = "not resolved"


@dataclass(frozen=True)
class ArmQuestions:
    """What is asked of a comparison beside its answer.

    Parameters
    ----------
    seed
        Of random weights and of the association's copula, a non-negative integer.
    association
        Whether the probability of all margins at once is shown under every association.
    strengths
        Shares of the way from none to the strongest association, each in -1..1.

    Raises
    ------
    DoseOptError
        On a seed or a strength that is out of range.
    """

    seed: int
    association: bool = True
    strengths: tuple[float, ...] = GRID

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise DoseOptError(f"seed = {self.seed} must be >= 0")
        wrong = [s for s in self.strengths if not -1 <= s <= 1]
        if wrong:
            raise DoseOptError(
                f"strength {wrong[0]:g} lies outside -1..1",
                hint="-1 is as negative as the rates allow, 0 none, 1 as positive as they allow",
            )


@dataclass(frozen=True, eq=False)
class ArmsAnalysis:
    """A finished comparison of arms: all that its report prints.

    Parameters
    ----------
    base
        Model, data, posterior, and the decision of the first configuration, which is the answer.
    given
        The configurations as they were pre-specified.
    found
        Every comparison, by the name of its configuration.
    sensitivity
        By configuration.
    bands
        Associations that matter, by configuration; one that was not asked for has none.
    unbanded
        Configuration to why there is no band.
    alternatives
        Label to the same configurations under another model, refitted.
    failed
        Label to the diagnostics that an alternative model failed.
    questions
        What was asked beside the answer.
    sources
        Configuration to how its weights were elicited.
    """

    base: Analysis
    given: tuple[Configuration, ...]
    found: Configurations
    sensitivity: Mapping[str, ArmSensitivity]
    bands: Mapping[str, AssociationBand]
    unbanded: Mapping[str, str]
    questions: ArmQuestions
    alternatives: Mapping[str, Configurations] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def first(self) -> ArmComparison:
        """Comparison under the first configuration."""
        return self.found.comparisons[self.given[0].name]

    @property
    def stamps(self) -> tuple[str, ...]:
        """What must be printed on every output."""
        return self.base.stamps

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known of data, fit and model."""
        return self.base.posterior.notes

    @property
    def resolved(self) -> bool:
        """Whether the answer and every verdict of the first configuration are resolved."""
        return _resolved_of(self.first)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer of the first configuration, where the others lead, and every verdict.

        Configurations of the same margins have one verdict.
        """
        one = self.given[0]
        told = [s for s in self.found.sentences if s not in self.stamps]
        pairs = [str(p) for p in self.first.table[PAIR].to_numpy()]
        leads = [s for s in told[1:] if not any(f", {p}: all margins" in s for p in pairs)]
        return (
            f"{one.name} (version {one.version}): {self.first.decision.headline}",
            told[0],
            *leads,
            *self._verdicts(),
        )

    def _verdicts(self) -> tuple[str, ...]:
        said: dict[str, list[str]] = {}
        for name, found in self.found.comparisons.items():
            for sentence in found.sentences:
                if ": the probability of all margins at once" in sentence:
                    said.setdefault(sentence, []).append(name)
        return tuple(f"{', '.join(who)}; {sentence}" for sentence, who in said.items())

    def __str__(self) -> str:
        return "\n".join([*self.stamps, *self.sentences])

    __repr__ = __str__


def analyse_arms(
    model: DoseModel,
    data: TrialData,
    configurations: Sequence[Configuration],
    *,
    pairs: Sequence[tuple[float | str, float | str]] | None = None,
    questions: ArmQuestions,
    alternatives: Mapping[str, DoseModel] | None = None,
    sources: Mapping[str, str] | None = None,
    seed: int | None = None,
    sampler: Sampler = "nutpie",
    draws: int = DRAWS,
    tune: int = 1000,
    chains: int = 4,
    override_diagnostics: bool = False,
    plan: Plan | None = None,
    progress: Callable[[str], None] | None = None,
) -> ArmsAnalysis:
    """Fit `model` once and compare the arms under every configuration.

    Draws are added, up to 64,000, while Monte Carlo error alone could change an answer or a verdict.

    Parameters
    ----------
    model, data, seed, sampler, draws, tune, chains
        As in :func:`~doseopt_bayes.inference.nuts.fit`; of one group. Subgroups are added up.
    configurations, pairs, override_diagnostics
        As in :func:`~doseopt_bayes.arms.configuration.compare_configurations`; the first
        configuration is the one whose answer comes first.
    questions
        What is asked beside the answer.
    alternatives
        Label to another model: it is fitted too, and every configuration decides again. One that
        fails its diagnostics is named.
    sources
        Configuration to how its weights were elicited, for the record.
    plan
        The specification that all of this comes from, if any.
    progress
        Called with a few words before each step that takes time.

    Raises
    ------
    DiagnosticsError
        When the fit failed its diagnostics and that is not overridden.
    DoseOptError
        Before anything is sampled, when a margin or a utility reads what a model does not have, or the
        prior of a model cannot take outcomes that were counted apart; on arms without patients.
    """
    say = progress or _silent
    given = tuple(configurations)
    others = dict(alternatives or {})
    for label, one in {"the model": model, **others}.items():
        for c in given:
            check_endpoints(c, one, label)
        check_apart(one, data, label)
    settings: dict[str, Any] = {"sampler": sampler, "draws": draws, "tune": tune, "chains": chains}

    def judge(post: Posterior, *, override: bool) -> Configurations:
        return compare_configurations(post, given, pairs=pairs, override_diagnostics=override)

    def run(
        one: DoseModel, seed: int | None, *, override: bool
    ) -> tuple[Posterior, Configurations]:
        judged: list[Configurations] = []

        def enough(post: Posterior) -> bool:
            judged.append(judge(post, override=override))
            return _resolved(judged[-1])

        post = fit(one, data, seed=seed, enough=enough, **settings)
        # the last draws were judged already, unless they could not be extended
        last = judged[-1] if judged and _resolved(judged[-1]) else None
        return post, last or judge(post, override=override)

    say("compiling and sampling the model")
    post, found = run(model, seed, override=override_diagnostics)
    again = int(post.tree.attrs["seed"])
    say("asking what would change the answers")
    sensitivity = found.sensitivity(post, seed=questions.seed)
    bands, unbanded = _bands(post, found, given, questions)
    refitted, failed = {}, {}
    for label, one in others.items():
        say(f"compiling and sampling the alternative '{label}'")
        # its failure is said, and must not cost the comparison
        other, refitted[label] = run(one, again, override=True)
        if not other.diagnostics.passed:
            failed[label] = "; ".join(str(c) for c in other.diagnostics.failures)
    base = Analysis(model, data, post, found.comparisons[given[0].name].decision, plan)
    return ArmsAnalysis(base, given, found, sensitivity, bands, unbanded, questions, refitted,
                        failed, dict(sources or {}))  # fmt: skip


def check_endpoints(one: Configuration, model: DoseModel, label: str) -> None:
    """Refuse margins and a utility of endpoints that the model does not have.

    Raises
    ------
    DoseOptError
        With the nearest name.
    """
    known = [*map(str, model.endpoints), UTILITY]
    for m in one.margins:
        # a rate or a mean grade is a variable of the posterior, and is looked for there
        if m.endpoint not in known and not m.endpoint.startswith(MEASURED):
            raise DoseOptError(
                f"configuration '{one.name}': margin of '{m.endpoint}', which {label} does not have",
                hint=did_you_mean(m.endpoint, known),
            )
    check_reads(one.utility, model, label)


def default_rules(one: Configuration) -> str:
    """Return the rules of a configuration in words, the default named as one."""
    return str(one.rules) if one.rules is not None else f"{TriedOnly()} (by default)"


def _bands(
    post: Posterior,
    found: Configurations,
    given: Sequence[Configuration],
    questions: ArmQuestions,
) -> tuple[dict[str, AssociationBand], dict[str, str]]:
    """Return one band for each set of margins, and why a configuration has none."""
    if not questions.association:
        return {}, {c.name: "the specification does not ask for it" for c in given}
    bands: dict[str, AssociationBand] = {}
    without: dict[str, str] = {}
    known: dict[Any, AssociationBand] = {}
    for c in given:
        ends = {m.endpoint for m in c.margins}
        if UTILITY in ends:
            without[c.name] = "a margin on the utility has no association of its own"
        elif len(ends) < 2:
            without[c.name] = (
                f"its margins are on {ends.pop()} only: one endpoint has no association"
            )
        else:
            # of the same margins and utility it is the same, whatever the weights are called
            key = (c.margins, c.certainty, str(c.utility))
            if key not in known:
                known[key] = association_band(
                    post, found.comparisons[c.name], seed=questions.seed,
                    strengths=questions.strengths,
                )  # fmt: skip
            bands[c.name] = known[key]
    return bands, without


def _resolved_of(one: ArmComparison) -> bool:
    decided = str(one.decision.status.item()) != OPEN
    return decided and bool((one.table["status"] != OPEN).all())


def _resolved(found: Configurations) -> bool:
    return all(_resolved_of(c) for c in found.comparisons.values())


def _silent(text: str) -> None:
    """Say nothing."""
