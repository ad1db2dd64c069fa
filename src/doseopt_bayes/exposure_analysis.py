"""One exposure-response analysis from start to end: curves, candidate doses, and a decision if asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.decision.decide import Decision, decide
from doseopt_bayes.errors import DiagnosticsError
from doseopt_bayes.inference.nuts import DRAWS, Sampler, fit
from doseopt_bayes.models.joint_exposure import JointExposureResponse
from doseopt_bayes.prediction.at_doses import at_doses
from doseopt_bayes.prediction.exposures import GivenExposures, ObservedExposures
from doseopt_bayes.prediction.parts import fitted
from doseopt_bayes.prediction.people import Crowd, as_regimens
from doseopt_bayes.prediction.power import PowerModel, fit_power_model
from doseopt_bayes.prediction.quantities import curve_quantities
from doseopt_bayes.prediction.request import check_request, curves

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.decision.criteria import Criterion
    from doseopt_bayes.decision.rules import Rule
    from doseopt_bayes.decision.utility import Utility
    from doseopt_bayes.inference.posterior import Posterior
    from doseopt_bayes.plan import Plan
    from doseopt_bayes.prediction.exposures import Exposures
    from doseopt_bayes.prediction.parts import Model, Part
    from doseopt_bayes.prediction.prose import Quantities
    from doseopt_bayes.prediction.request import Prediction

__all__ = ["ExposureAnalysis", "analyse_exposure"]


@dataclass(frozen=True, eq=False)
class ExposureAnalysis:
    """A finished exposure-response analysis: all that a table, a figure or a report prints.

    Parameters
    ----------
    model, data, posterior
        What was fitted and to what.
    prediction, exposures, predicted
        What was asked of candidate doses, how exposure arises at them, and the response expected at
        each; ``None`` when nothing was asked.
    quantities
        Curve (by the name of its endpoint, or ``eff`` and ``tox``) to what can be read off it.
    decision
        The ranked doses; ``None`` without a utility.
    plan
        The pre-specification that was followed, if any.
    stamps
        What must be read before any number, for example that diagnostics were overridden.
    """

    model: Model
    data: ExposureData
    posterior: Posterior
    prediction: Prediction | None = None
    exposures: Exposures | None = None
    predicted: Posterior | None = None
    quantities: Mapping[str, Quantities] = field(default_factory=dict)
    decision: Decision | None = None
    plan: Plan | None = None
    stamps: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """Each curve with its own draws."""
        return fitted(self.model, self.posterior).parts

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on data, fit and prediction, each once."""
        own = self.predicted.notes if self.predicted is not None else ()
        return tuple(dict.fromkeys([*self.posterior.notes, *own]))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer in words."""
        said = [
            f"{name}: {sentence}" if len(self.quantities) > 1 else sentence
            for name, found in self.quantities.items()
            for sentence in found.sentences
        ]
        head = () if self.decision is None else (self.decision.headline,)
        return (*head, *said)

    def __repr__(self) -> str:
        return "\n".join([*self.stamps, *(self.sentences or (str(self.model),))])


def analyse_exposure(
    model: Model,
    data: ExposureData,
    prediction: Prediction | None = None,
    *,
    utility: Utility | None = None,
    rules: Rule | None = None,
    criterion: str | Criterion = "mean_utility",
    seed: int | None = None,
    sampler: Sampler = "nutpie",
    draws: int = DRAWS,
    tune: int = 1000,
    chains: int = 4,
    override_diagnostics: bool = False,
    plan: Plan | None = None,
    progress: Callable[[str], None] | None = None,
) -> ExposureAnalysis:
    """Fit curves of exposure, predict the candidate doses, and decide where a utility is given.

    Parameters
    ----------
    model
        A curve, or efficacy and toxicity of the same patients.
    data
        Exposure data.
    prediction
        What is asked of candidate doses.
    utility, rules
        Both or neither; as in :func:`~doseopt_bayes.decision.decide.decide`.
    criterion, override_diagnostics
        As there.
    seed, sampler, draws, tune, chains
        As in :func:`~doseopt_bayes.inference.nuts.fit`.
    plan, progress
        As in :func:`~doseopt_bayes.analysis.analyse`.

    Returns
    -------
    ExposureAnalysis
        For :func:`~doseopt_bayes.report.exposure.save_exposure`.

    Raises
    ------
    DiagnosticsError
        When the fit failed its diagnostics and that is not overridden.
    DoseOptError
        Before anything is sampled, when the parts do not match.
    """
    say = progress or (lambda _: None)
    check_request(model, prediction, utility, rules)
    exposures = None if prediction is None else _exposures(model, data, prediction)
    if prediction is not None and exposures is not None:
        for one in as_regimens((*prediction.doses, *prediction.regimens), data.dose_unit):
            exposures.people(one, Crowd(2, 2, seed=0))  # a dose without exposures costs no sampling
    say("compiling and sampling the curve")
    posterior = fit(model, data, seed=seed, sampler=sampler, draws=draws, tune=tune, chains=chains)
    stamps = []
    if not posterior.diagnostics.passed:
        failed = "; ".join(str(c) for c in posterior.diagnostics.failures)
        if not override_diagnostics:
            raise DiagnosticsError(
                f"the fit failed its diagnostics, so nothing is concluded from it: {failed}",
                hint="more draws or a stronger prior; or override_diagnostics=True",
            )
        stamps.append(f"DIAGNOSTICS OVERRIDDEN, do not use for dosing: {failed}")
    if prediction is None or exposures is None:
        return ExposureAnalysis(model, data, posterior, plan=plan, stamps=tuple(stamps))
    say("predicting the candidate doses")
    people_seed = int(posterior.tree.attrs["seed"])
    predicted = at_doses(
        model, posterior, exposures, (*prediction.doses, *prediction.regimens),
        n_people=prediction.people, seed=people_seed,
        time=prediction.time,
    )  # fmt: skip
    asked: dict[str, Any] = {"shares": prediction.shares, "plateau": prediction.plateau,
                             "reference": prediction.reference, "seed": people_seed}  # fmt: skip
    if isinstance(exposures, PowerModel):
        asked["exposures"] = exposures
    found = {}
    for name in curves(model):
        harm = name == names.TOX or prediction.better == "lower"
        alone = not isinstance(model, JointExposureResponse)
        gain = prediction.gain if alone or name == names.EFF else None
        found[name] = curve_quantities(
            model, posterior, predicted, endpoint=name, gain=gain,
            better="lower" if harm else "higher", **asked,
        )  # fmt: skip
    decision = None
    if utility is not None and rules is not None:
        decision = decide(
            predicted, utility, rules, criterion=criterion,
            override_diagnostics=override_diagnostics,
        )  # fmt: skip
        stamps = [*dict.fromkeys([*stamps, *decision.stamps])]
    return ExposureAnalysis(
        model, data, posterior, prediction, exposures, predicted, found, decision, plan,
        tuple(stamps),
    )  # fmt: skip


def _exposures(model: Model, data: ExposureData, prediction: Prediction) -> Exposures:
    metrics = tuple(dict.fromkeys(c.exposure for c in curves(model).values()))
    wanted = tuple(m for m in metrics if m != names.DOSE)
    if not wanted:  # dose itself is the axis: nothing lies between dose and response
        given: dict[str | float, Any] = {d: np.array([d, d]) for d in prediction.candidates}
        return GivenExposures(given, metrics, data)
    if prediction.exposures == "observed":
        return ObservedExposures(data, metrics)
    return fit_power_model(data, wanted)
