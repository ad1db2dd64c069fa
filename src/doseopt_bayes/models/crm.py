"""The continual reassessment method (CRM): one parameter bends a skeleton of toxicity guesses."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.groups import Built
from doseopt_bayes.models.joint import checked_doses, coordinates, described, observe_margins
from doseopt_bayes.models.tallied import margins_of
from doseopt_bayes.priors import Normal, Prior

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.trial import TrialData

__all__ = ["CRM", "LINKS"]

LINKS: Final = ("power", "logistic")
BETA: Final = "beta"


@dataclass(frozen=True)
class CRM:
    """Toxicity of each dose from a skeleton and one parameter; reads toxicity alone.

    Parameters
    ----------
    doses
        Candidate doses (> 0, distinct, at least two), in `unit`; any order, kept ascending. Labels
        only: the skeleton says how toxic they are taken to be.
    skeleton
        Prior guess of the probability of toxicity at each of `doses`, in their order, strictly
        between 0 and 1 and rising with dose.
    link
        ``"power"`` (empiric): p_tox = skeleton ^ exp(beta). ``"logistic"``: logit p_tox =
        intercept + exp(beta) x, with x such that p_tox is the skeleton at the prior median of beta.
    intercept
        Fixed intercept of the logistic link, above the logit of every entry of the skeleton, so that
        toxicity falls as exp(beta) grows, at every dose; the power link does not read it.
    prior
        Prior of beta; Normal with mean 0 and variance 1.34 by default, as usual in the CRM.
    unit
        Unit of the doses, for example ``"mg"``.

    Raises
    ------
    DoseOptError
        On doses that are repeated or not positive, a skeleton of another length, that does not rise or
        leaves (0, 1), an unknown link, or an intercept that does not lie above the skeleton.

    Notes
    -----
    O'Quigley, Pepe and Fisher (1990); Cheung (2011), Dose Finding by the Continual Reassessment
    Method, chapter 3, whose conventions are those of the R package dfcrm: sd sqrt(1.34), intercept 3,
    x = logit(skeleton) - intercept. When the prior median of beta is not 0, x is divided by its
    exponential, so that the skeleton stays the prior guess of the logistic link; under the power link
    the guess is then skeleton ^ exp(median).

    Examples
    --------
    >>> print(CRM(doses=(5, 10, 20), skeleton=(0.1, 0.2, 0.35), unit="mg"))
    CRM: toxicity at doses 5, 10, 20 mg from the skeleton 0.1, 0.2, 0.35
      p_tox = skeleton ^ exp(beta) (power link)
      toxicity cannot fall with dose
      priors:
        beta  ~ Normal(mean 0, sd 1.15758), 95 % within -2.27 to 2.27
    """

    doses: tuple[float, ...]
    skeleton: tuple[float, ...]
    link: Literal["power", "logistic"] = "power"
    intercept: float = 3.0
    prior: Prior = field(default_factory=lambda: Normal(0.0, math.sqrt(1.34)))
    unit: str = ""

    def __post_init__(self) -> None:
        if len(self.doses) != len(self.skeleton):
            raise DoseOptError(
                f"CRM: {len(self.skeleton)} entries in the skeleton for {len(self.doses)} doses",
                hint="give one prior guess for each candidate dose",
            )
        order = sorted(range(len(self.doses)), key=lambda j: float(self.doses[j]))
        guesses = tuple(float(self.skeleton[j]) for j in order)
        object.__setattr__(self, "doses", checked_doses("CRM", self.doses))
        object.__setattr__(self, "skeleton", guesses)
        if not all(0 < s < 1 for s in guesses):
            raise DoseOptError(
                f"CRM: skeleton {guesses} must lie strictly between 0 and 1",
                hint="probabilities, not percentages",
            )
        if any(b <= a for a, b in itertools.pairwise(guesses)):
            raise DoseOptError(
                f"CRM: skeleton {guesses} must rise with dose",
                hint="the CRM takes a higher dose to be more toxic",
            )
        if self.link not in LINKS:
            raise DoseOptError(
                f"CRM: unknown link '{self.link}'", hint=did_you_mean(self.link, LINKS)
            )
        highest = math.log(guesses[-1] / (1 - guesses[-1]))
        if self.link == "logistic" and not (
            math.isfinite(self.intercept) and self.intercept > highest
        ):
            raise DoseOptError(
                f"CRM: intercept = {self.intercept!r} must be finite and above {highest:.3g}, the logit "
                f"of the highest entry of the skeleton",
                hint="3 is the usual one",
            )

    @property
    def priors(self) -> Mapping[str, Prior]:
        """Priors in force by parameter name."""
        return {BETA: self.prior}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads."""
        return (names.TOX,)

    @property
    def scale(self) -> str:
        """Scale and unit of the parameters."""
        return "beta: exp(beta) is the exponent of the skeleton or the slope; without unit."

    @property
    def x(self) -> tuple[float, ...]:
        """Scaled dose of each candidate dose: its log guess (power), or where the logit slopes from."""
        s = np.array(self.skeleton)
        if self.link == "power":
            found = np.log(s)
        else:
            found = (np.log(s) - np.log1p(-s) - self.intercept) / math.exp(self.prior.quantile(0.5))
        return tuple(map(float, found))

    def build(self, data: TrialData) -> pm.Model:
        """Return the PyMC model of these data.

        Registers ``p_tox`` (dose) and the observed node ``tox_only`` (dose), the events among all
        patients whose toxicity is known.
        """
        import pymc as pm  # noqa: PLC0415
        import pytensor.tensor as pt  # noqa: PLC0415

        counts = margins_of(self, data)
        with pm.Model(coords=coordinates(self)) as model:
            x = pm.Data("x", np.array(self.x), dims=names.DOSE)
            beta = self.prior.build(BETA)
            bent = pt.exp(beta) * x
            p = pt.exp(bent) if self.link == "power" else pt.sigmoid(self.intercept + bent)
            observe_margins(counts, Built({BETA: beta}, {}), {names.TOX: p})
        return model

    def words(self) -> tuple[str, ...]:
        """Return the model's equations and choices, a sentence each."""
        if self.link == "power":
            curve = "p_tox = skeleton ^ exp(beta) (power link)"
        else:
            x = ", ".join(f"{v:.4g}" for v in self.x)
            curve = f"logit p_tox = {self.intercept:g} + exp(beta) * x, x = {x} (logistic link)"
        return (curve, "toxicity cannot fall with dose")

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.doses)
        guesses = ", ".join(f"{s:g}" for s in self.skeleton)
        dose = f"{doses} {self.unit}".rstrip()
        head = f"CRM: toxicity at doses {dose} from the skeleton {guesses}"
        return described(head, self)
