"""Efficacy and toxicity of the same patients, each a curve of exposure, with their association."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean
from doseopt_bayes.models.association import COPULA_WORDS, COPULAS
from doseopt_bayes.models.joint import described

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.exposure import ExposureData
    from doseopt_bayes.models.exposure_response import ExposureResponse
    from doseopt_bayes.priors import Prior

__all__ = ["JointExposureResponse"]

OUTCOME: Final = "outcome"  # dim: what was seen of a patient, a cell or a margin
ASSOCIATION: Final = "association"
# what a patient with one known endpoint was seen to be: the cells that it may be, by the letter that
# stands for them
MERGED: Final = {
    "both": {"N": "N", "E": "E", "T": "T", "B": "B"},
    "eff": {"N": "N", "T": "N", "E": "E", "B": "E"},
    "tox": {"N": "N", "E": "N", "T": "T", "B": "T"},
}


@dataclass(frozen=True)
class JointExposureResponse:
    """Two binary endpoints of the same patients as curves of their exposures; a recipe without data.

    Parameters
    ----------
    eff, tox
        The curve of each endpoint; both responses are binary. Their exposure metrics, shapes and
        covariates may differ.
    association
        Prior of the association within a patient, given the exposures; 0 is independence.
    copula
        ``"gumbel_morgenstern"``, whose correlation cannot exceed 0.25, or ``"gaussian"``, which can be
        as strong as the margins allow.

    Raises
    ------
    DoseOptError
        When an endpoint is not binary, both are the same, or the copula is unknown.

    Notes
    -----
    A patient with both outcomes contributes the probability of its cell, as in EffTox; one with a
    single known outcome the sum of the two cells that agree with it, which assumes that an outcome is
    missing independently of its value. Parameters are those of the curves with ``eff_`` and ``tox_``
    before their names.

    Examples
    --------
    >>> from doseopt_bayes.models.exposure_response import ExposureResponse
    >>> from doseopt_bayes.models.response import BinaryResponse
    >>> from doseopt_bayes.models.shapes import Linear
    >>> from doseopt_bayes.priors import Normal
    >>> def curve(endpoint):
    ...     priors = {"e0": Normal(-1, 2), "slope": Normal(0, 1)}
    ...     return ExposureResponse(endpoint, "auc", Linear(), BinaryResponse(), priors)
    >>> print(JointExposureResponse(curve("resp"), curve("ae"), Normal(0, 1)))
    Exposure-response: resp (efficacy) and ae (toxicity) of the same patients
      eff: logit of the probability = e0 + slope * x, x = auc
      eff: the curve may rise or fall
      tox: logit of the probability = e0 + slope * x, x = auc
      tox: the curve may rise or fall
      association: Gumbel-Morgenstern, tanh(association / 2); 0 is independence
      priors:
        eff_e0       ~ Normal(mean -1, sd 2), 95 % within -4.92 to 2.92
        eff_slope    ~ Normal(mean 0, sd 1), 95 % within -1.96 to 1.96
        tox_e0       ~ Normal(mean -1, sd 2), 95 % within -4.92 to 2.92
        tox_slope    ~ Normal(mean 0, sd 1), 95 % within -1.96 to 1.96
        association  ~ Normal(mean 0, sd 1), 95 % within -1.96 to 1.96
    """

    eff: ExposureResponse
    tox: ExposureResponse
    association: Prior
    copula: Literal["gumbel_morgenstern", "gaussian"] = "gumbel_morgenstern"

    def __post_init__(self) -> None:
        if self.copula not in COPULAS:
            raise DoseOptError(
                f"JointExposureResponse: unknown copula '{self.copula}'",
                hint=did_you_mean(self.copula, list(COPULAS)),
            )
        for name, one in self.parts.items():
            if one.response.kind != "binary":
                raise DoseOptError(
                    f"JointExposureResponse: {name} ({one.endpoint}) is {one.response.kind}; both "
                    "endpoints must be binary",
                    hint="fit it apart, and give at_doses a mapping of models",
                )
            if one.groups:
                raise DoseOptError(
                    f"JointExposureResponse: {name} ({one.endpoint}) differs between groups, which the "
                    "joint model does not",
                    hint="fit the curves apart, and give at_doses a mapping of models",
                )
        if self.eff.endpoint == self.tox.endpoint:
            raise DoseOptError(f"JointExposureResponse: '{self.eff.endpoint}' is both endpoints")

    @property
    def parts(self) -> dict[str, ExposureResponse]:
        """The curves by the names of their roles."""
        return {names.EFF: self.eff, names.TOX: self.tox}

    @property
    def priors(self) -> Mapping[str, Prior]:
        """Priors in force by parameter name."""
        found = {f"{k}_{n}": p for k, one in self.parts.items() for n, p in one.priors.items()}
        return {**found, ASSOCIATION: self.association}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Endpoints that it reads, by their roles."""
        return (names.EFF, names.TOX)

    @property
    def unit(self) -> str:
        """Unit of the exposure, where both curves have the same."""
        return self.eff.unit if self.eff.unit == self.tox.unit else ""

    @property
    def scale(self) -> str:
        """Scale and unit of the parameters."""
        return f"eff: {self.eff.scale} tox: {self.tox.scale}"

    def read(self, data: ExposureData) -> dict[str, xr.Dataset]:
        """Return the rows of each curve, over everyone with at least one known outcome.

        Returns
        -------
        dict
            Role to rows over one and the same ``patient``, with ``known``: whether the curve's outcome
            is. The exposure and covariates of a patient whose outcome is not known are filled and do
            not enter the likelihood.

        Raises
        ------
        DoseOptError
            As :meth:`ExposureResponse.read`; and when two rows share an identifier.
        """
        rows = {name: one.read(data) for name, one in self.parts.items()}
        labels: dict[str, None] = {}
        for name, part in rows.items():
            own = part[names.PATIENT].to_numpy().tolist()
            if len(set(own)) < len(own):
                raise DoseOptError(
                    f"{name}: two rows share an identifier, so that the endpoints of one patient "
                    "cannot be put together",
                    hint="name the identifier column, and the study where identifiers repeat",
                )
            labels |= dict.fromkeys(own)
        everyone = [p for p in data.table["id"].astype(str) if p in labels]
        found = {}
        for name, part in rows.items():
            whole = part.reindex({names.PATIENT: everyone})
            known = whole["y"].notnull()
            # what is filled enters no likelihood: the cells of a margin sum to it, whatever the other
            found[name] = whole.fillna(part.mean()).assign(known=known)
        return found

    def build(self, data: ExposureData) -> pm.Model:
        """Return the PyMC model of these data.

        Registers the parameters of each curve with ``eff_`` and ``tox_`` before their names, and the
        observed node ``y`` (patient): the cell that was seen, or the margin.
        """
        import pymc as pm  # noqa: PLC0415

        rows = self.read(data)
        seen, merge = _outcomes(rows)
        with pm.Model(coords={names.CELL: list(names.CELLS), OUTCOME: list(names.CELLS)}) as model:
            logit = {}
            for name, one in self.parts.items():
                with _prefixed(name):
                    logit[name] = one.predictor(rows[name])
            association = self.association.build(ASSOCIATION)
            cells = COPULAS[self.copula](logit[names.TOX], logit[names.EFF], association)
            way = pm.Data("merge", merge, dims=(names.PATIENT, names.CELL, OUTCOME))
            p = (cells[:, :, None] * way).sum(axis=1)
            y = pm.Data("y_seen", seen, dims=names.PATIENT)
            pm.Categorical("y", p=p, observed=y)
            model.named_vars_to_dims["y"] = (names.PATIENT,)
        return model

    def draws_of(self, draws: xr.Dataset, name: str) -> xr.Dataset:
        """Return the draws of one curve under the names that its recipe gives them."""
        start = f"{name}_"
        own = {
            str(v): str(v).removeprefix(start) for v in draws.data_vars if str(v).startswith(start)
        }
        found: xr.Dataset = draws[list(own)].rename(own)
        return found

    def seen(self, data: ExposureData) -> xr.Dataset:
        """Return what was observed at each dose: n_treated, and n and events (dose, endpoint)."""
        parts = {name: one.seen(data) for name, one in self.parts.items()}
        rows = self.read(data)[names.EFF]
        own = xr.concat(
            [
                part[[names.N, names.EVENTS]].assign_coords({names.ENDPOINT: [name]})
                for name, part in parts.items()
            ],
            dim=names.ENDPOINT,
            join="outer",
            fill_value=0,
        ).transpose(names.DOSE, names.ENDPOINT)
        table = data.table.set_index(data.table["id"].astype(str))
        given = table.loc[rows[names.PATIENT].to_numpy().tolist(), "dose"].to_numpy(dtype=float)
        doses = own[names.DOSE].to_numpy()
        n = (given[:, None] == doses).sum(axis=0).astype("int64")
        found = own.assign({names.N_TREATED: (names.DOSE, n)})
        found[names.DOSE].attrs["units"] = data.dose_unit
        return found

    def words(self) -> tuple[str, ...]:
        """Return the model's equations, links and choices, a sentence each."""
        said = [f"{name}: {w}" for name, one in self.parts.items() for w in one.words()]
        return (*said, f"association: {COPULA_WORDS[self.copula]}")

    def __str__(self) -> str:
        head = (
            f"Exposure-response: {self.eff.endpoint} (efficacy) and {self.tox.endpoint} (toxicity) of "
            "the same patients"
        )
        return described(head, self)


def _outcomes(rows: Mapping[str, xr.Dataset]) -> tuple[np.ndarray, np.ndarray]:
    """Return what was seen of each patient, and which cells it stands for (patient, cell, outcome)."""
    eff, tox = rows[names.EFF], rows[names.TOX]
    knows = eff["known"].to_numpy(), tox["known"].to_numpy()
    event = [(part["y"].to_numpy() > 0.5) & k for part, k in zip((eff, tox), knows, strict=True)]
    seen = event[0] * 1 + event[1] * 2  # the place in names.CELLS
    way = {
        kind: np.array([[float(to[c] == o) for o in names.CELLS] for c in names.CELLS])
        for kind, to in MERGED.items()
    }
    only = np.where((knows[0] & knows[1])[:, None, None], way["both"], way["eff"])
    merge = np.where((~knows[0] & knows[1])[:, None, None], way["tox"], only)
    return seen.astype("int64"), merge


def _prefixed(name: str) -> Any:
    """Open a model within the present one whose variables have `name` and a _ before their names."""
    import pymc as pm  # noqa: PLC0415

    class Part(pm.Model):  # type: ignore[misc]
        def name_for(self, name: str) -> str:
            start = f"{self.name}_"
            return name if name.startswith(start) else f"{start}{name}"

    return Part(name=name)
