"""A prior that may not apply: a mixture with a component that knows little."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from scipy.special import expit, logit

from doseopt_bayes.elicit.prior_size import (
    PriorSize,
    effective_sample_size,
    moments_of_probability,
)
from doseopt_bayes.errors import DoseOptError
from doseopt_bayes.priors import Beta, Mixture, Normal

__all__ = ["Robust", "robustify"]

WEIGHT: Final = 0.2


@dataclass(frozen=True, eq=False)
class Robust:
    """A prior with a weakly informative component, and what that costs.

    Parameters
    ----------
    prior
        The mixture, for any model.
    before, size
        Patients that the prior was worth, and those that the mixture is worth.
    notes
        How the component was chosen.
    """

    prior: Mixture
    before: PriorSize
    size: PriorSize
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [str(self.prior), f"  before: {self.before}", f"  now: {self.size}"]
        return "\n".join([*lines, *(f"  note: {n}" for n in self.notes)])


def robustify(
    prior: Normal | Beta | Mixture,
    weight: float = WEIGHT,
    *,
    mean: float | None = None,
    sd: float | None = None,
) -> Robust:
    """Add a weakly informative component to a prior, for the case that its source does not apply.

    Parameters
    ----------
    prior
        Normal or mixture of Normals, of the log-odds of a response; Beta or mixture of Betas, of its
        probability.
    weight
        Prior probability that the source of `prior` does not apply, between 0 and 1.
    mean
        Probability that the added component is centred at; by default the mean probability under
        `prior`.
    sd
        Standard deviation of the added component, of Normals alone; by default 1 / sqrt(p (1 - p)) at
        that mean p, the information of one patient.

    Returns
    -------
    Robust
        Its ``.prior`` goes into a model.

    Raises
    ------
    DoseOptError
        On a weight or mean outside (0, 1), or another prior.

    Notes
    -----
    Schmidli et al. (2014), Biometrics 70, 1023-1032; unit-information component as in Neuenschwander et
    al. (2016). Of Betas, the component has the weight of 2 patients (uniform at mean 1/2), as in RBesT.

    Examples
    --------
    >>> print(robustify(Normal(-1.1, 0.4)).prior)
    Mixture(0.8 x mean -1.1, sd 0.4; 0.2 x mean -1.06221, sd 2.28877), 95 % within -3.7 to 1.57
    """
    if not 0 < weight < 1:
        raise DoseOptError(f"robustify: weight = {weight!r} must lie between 0 and 1")
    before = effective_sample_size(prior)
    centre = moments_of_probability(prior)[0] if mean is None else mean
    if not 0 < centre < 1:
        raise DoseOptError(
            f"robustify: mean = {mean!r} is a probability, strictly between 0 and 1",
            hint=f"log-odds of {mean!r} are a probability of {expit(mean or 0.0):.3g}",
        )
    start = prior if isinstance(prior, Mixture) else Mixture((1.0,), (prior,))
    where = "the mean under the prior" if mean is None else "as given"
    notes = [f"component of weight {weight:g} centred at probability {centre:.3g}, {where}"]
    added: Normal | Beta
    if start.of_probability:
        if sd is not None:
            raise DoseOptError(
                "robustify: sd belongs to log-odds, the prior is of a probability",
                hint="leave it out",
            )
        added = Beta(_short(2 * centre), _short(2 - 2 * centre))
        notes.append("worth 2 patients: uniform at a mean of 1/2, as RBesT has it")
    else:
        unit = 1 / math.sqrt(centre * (1 - centre))
        added = Normal(_short(float(logit(centre))), _short(unit) if sd is None else float(sd))
        notes.append(
            f"sd {added.sd:g}, the information of one patient at that probability: 1 / sqrt(p (1 - p))"
            if sd is None
            else f"sd {added.sd:g}, as given"
        )
    weights = (*(w * (1 - weight) for w in start.weights), weight)
    mixture = Mixture(weights, (*start.components, added))
    return Robust(mixture, before, effective_sample_size(mixture), tuple(notes))


def _short(value: float) -> float:
    """Six digits: what is printed, pasted and sampled is the same."""
    return float(f"{value:.6g}")
