"""What is asked of an exposure-response model at candidate doses, checked before any sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.joint_exposure import JointExposureResponse

if TYPE_CHECKING:
    from typing import Protocol

    from doseopt_bayes.models.exposure_response import ExposureResponse
    from doseopt_bayes.prediction.parts import Model
    from doseopt_bayes.prediction.people import Regimen

    class Reads(Protocol):
        """A utility, as far as it concerns what it reads."""

        @property
        def reads(self) -> tuple[str, ...]:
            """Variables that it reads."""


__all__ = ["Prediction", "check_request", "curves"]

HOW: Final = ("power_model", "observed")
BETTER: Final = ("higher", "lower")


@dataclass(frozen=True)
class Prediction:
    """What is asked of an exposure-response curve at candidate doses.

    Parameters
    ----------
    doses
        Candidate doses in the unit of the data, studied or not.
    exposures
        How exposure arises at a dose: ``"observed"``, that of the patients who got it, or
        ``"power_model"``, which also predicts doses that nobody got.
    better
        Whether a ``"higher"`` or a ``"lower"`` response is better. Of a joint model it is said already
        (efficacy higher, toxicity lower) and stays empty.
    regimens
        Further candidates, each with label, dose, factor and schedule.
    shares
        Shares of the largest effect, in (0, 1): 0.5 is ED50.
    plateau
        Share of the largest effect that counts as the plateau.
    gain
        Smallest change of the response over `reference` that matters; of a joint model, of efficacy.
    reference
        Candidate dose that is compared with; the lowest by default.
    limit
        Response whose being exceeded is asked for at each dose; of a joint model, of toxicity.
    time
        Of survival and of expected events.
    people
        People in each draw where exposures are simulated, >= 2.

    Raises
    ------
    DoseOptError
        Without a dose, and on a direction or a way of exposure that is unknown.
    """

    doses: tuple[float, ...] = ()
    exposures: Literal["power_model", "observed"] = "power_model"
    better: Literal["higher", "lower", ""] = ""
    regimens: tuple[Regimen, ...] = ()
    shares: tuple[float, ...] = (0.5, 0.8, 0.9)
    plateau: float = 0.9
    gain: float | None = None
    reference: float | None = None
    limit: float | None = None
    time: float | None = None
    people: int = 200

    def __post_init__(self) -> None:
        faults = {
            "no candidate dose is given: doses = [100.0, 200.0], say": not self.candidates,
            f"doses = {self.doses!r} must be >= 0": any(not d >= 0 for d in self.doses),
            f"shares = {self.shares!r} must lie strictly between 0 and 1": not _inside(
                *self.shares
            ),
            f"plateau = {self.plateau!r} must lie strictly between 0 and 1": not _inside(
                self.plateau
            ),
            f"gain = {self.gain!r} must be > 0": self.gain is not None and not self.gain > 0,
            f"people = {self.people!r} must be >= 2": self.people < 2,
            f"reference = {self.reference!r} is not a candidate dose ({self.candidates})": (
                self.reference is not None and self.reference not in self.candidates
            ),
        }
        said = [text for text, wrong in faults.items() if wrong]
        if said:
            raise DoseOptError("; ".join(said))
        for value, known in ((self.exposures, HOW), (self.better, (*BETTER, ""))):
            if value not in known:
                raise DoseOptError(f"unknown choice '{value}'", hint=did_you_mean(value, known))

    @property
    def candidates(self) -> tuple[float, ...]:
        """Doses of all candidates, ascending."""
        return tuple(sorted({*self.doses, *(r.dose for r in self.regimens)}))


def _inside(*shares: float) -> bool:
    return all(0 < x < 1 for x in shares)


def curves(model: Model) -> dict[str, ExposureResponse]:
    """Return each curve of a model by the name that decisions and tables use."""
    return model.parts if isinstance(model, JointExposureResponse) else {model.endpoint: model}


def check_request(
    model: Model, prediction: Prediction | None, utility: Reads | None, rules: object | None
) -> None:
    """Refuse, before any sampling, what the model cannot answer.

    Raises
    ------
    DoseOptError
        When a utility comes without rules or the other way round or without doses, reads what the model
        does not have, or the direction of a single curve is not said; and for curves that differ
        between groups, of which there is no report yet.
    """
    for name, curve in curves(model).items():
        if curve.groups:
            raise DoseOptError(
                f"{name} differs between {' and '.join(curve.groups)}, and an analysis with its report "
                "is of one curve",
                hint="fit(), at_doses() and decide() take groups; or analyse one group: data.at(...)",
            )
    if (utility is None) != (rules is None):
        absent = "utility" if utility is None else "admissibility rule"
        raise DoseOptError(
            f"doses are ranked by a utility under rules, and there is no {absent}",
            hint="give both [utility] and [[rule]], or neither",
        )
    if utility is not None and prediction is None:
        raise DoseOptError(
            "doses are to be ranked, and none is given", hint="[prediction] doses = [...]"
        )
    joint = isinstance(model, JointExposureResponse)
    if prediction is not None and joint == bool(prediction.better):
        said = "is said by the roles eff and tox" if joint else "is not said"
        raise DoseOptError(
            f"which response is better {said}",
            hint="remove 'better'" if joint else "better = 'lower' for harm, 'higher' for benefit",
        )
    events = [n for n, c in curves(model).items() if c.response.kind == "binary"]
    known = [names.probability(n) if n in events else n for n in curves(model)]
    known += [names.P_CELL] * joint
    for name in () if utility is None else utility.reads:
        if name not in known:
            raise DoseOptError(
                f"the utility reads {name}, which the model does not have",
                hint=f"it has {', '.join(known)}",
            )
