"""EffTox: joint toxicity and efficacy of each candidate dose (Thall and Cook 2004)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from doseopt_bayes import names
from doseopt_bayes.errors import DoseOptError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pymc as pm

    from doseopt_bayes.data.trial import TrialData
    from doseopt_bayes.priors import Prior

__all__ = ["EffTox", "log_cells"]


def log_cells(logit_tox: Any, logit_eff: Any, association: Any) -> Any:
    r"""Log probabilities of the four outcomes of a patient.

    Pr(E = a, T = b) is the product of its margins plus :math:`(-1)^{a+b}` times the four margins
    times tanh(association / 2). Each cell factorises into its two margins and one factor that is
    written as a sum of positive terms, so that no digit is lost at either end: cells sum to 1 within
    1e-12 for logits to 30, and their logs are finite for logits to 700.

    Parameters
    ----------
    logit_tox, logit_eff
        Tensors of one shape (...): log-odds of toxicity and of efficacy.
    association
        Tensor that broadcasts with them; 0 is independence, the correlation stays within 0.25.

    Returns
    -------
    tensor
        Shape (..., 4), cells in the order of ``names.CELLS``: neither, efficacy only, toxicity only,
        both.

    Notes
    -----
    Source: Thall and Cook (2004), as in trialr's ``EffTox.stan``; the positive form is ours.
    """
    import pytensor.tensor as pt  # noqa: PLC0415  (a specification is read without PyTensor)

    cells = []
    for letter in names.CELLS:
        eff_sign = 1 if letter in "EB" else -1
        tox_sign = 1 if letter in "TB" else -1
        agree = eff_sign * tox_sign
        p_eff, q_eff = pt.sigmoid(eff_sign * logit_eff), pt.sigmoid(-eff_sign * logit_eff)
        p_tox, q_tox = pt.sigmoid(tox_sign * logit_tox), pt.sigmoid(-tox_sign * logit_tox)
        # 1 + agree * tanh(psi / 2) * q_eff * q_tox, without its cancellation
        factor = p_eff + p_tox - p_eff * p_tox + 2 * q_eff * q_tox * pt.sigmoid(agree * association)
        margins = -pt.softplus(-eff_sign * logit_eff) - pt.softplus(-tox_sign * logit_tox)
        cells.append(margins + pt.log(factor))
    return pt.stack(cells, axis=-1)


@dataclass(frozen=True)
class EffTox:
    """Joint toxicity-efficacy model over real, log-centred doses.

    Parameters
    ----------
    doses
        Candidate doses (> 0, distinct, at least two), in `unit`; any order, kept ascending.
    priors
        One :class:`~doseopt_bayes.priors.Prior` for each of ``EffTox.parameters``.
    unit
        Unit of the doses, for example ``"mg"``.
    monotone_tox
        Whether toxicity cannot fall with dose: the prior of ``tox_slope`` is then truncated at 0.
        The published model leaves the slope free.

    Raises
    ------
    DoseOptError
        On doses that have no logarithm or are repeated, and on missing or unknown priors.

    Notes
    -----
    Thall and Cook (2004); equations as in trialr (``EffTox.stan``). Patients with both outcomes enter
    as multinomial counts over cells; patients or arms with one known outcome enter through the margin
    of the same cells, which assumes that an outcome is missing independently of its value.

    Examples
    --------
    >>> from doseopt_bayes.models.presets import EFFTOX_THALL2014
    >>> model = EffTox(doses=(1, 2, 4, 6.6, 10), priors=EFFTOX_THALL2014, unit="mg")
    >>> print(model)
    EffTox: joint toxicity and efficacy at doses 1, 2, 4, 6.6, 10 mg
      x = log(dose) - mean of log(candidate doses)
      logit p_tox = tox_intercept + tox_slope * x
      logit p_eff = eff_intercept + eff_slope * x + eff_curvature * x^2
      association: Gumbel-Morgenstern, tanh(association / 2); 0 is independence
      toxicity may fall with dose (slope not restricted)
      priors:
        tox_intercept  ~ Normal(mean -7.9593, sd 3.5487), 95 % within -14.9 to -1
        tox_slope      ~ Normal(mean 1.5482, sd 3.5018), 95 % within -5.32 to 8.41
        eff_intercept  ~ Normal(mean 0.7367, sd 2.5423), 95 % within -4.25 to 5.72
        eff_slope      ~ Normal(mean 3.4181, sd 2.4406), 95 % within -1.37 to 8.2
        eff_curvature  ~ Normal(mean 0, sd 0.2), 95 % within -0.392 to 0.392
        association    ~ Normal(mean 0, sd 1), 95 % within -1.96 to 1.96
    """

    doses: tuple[float, ...]
    priors: Mapping[str, Prior]
    unit: str = ""
    monotone_tox: bool = False

    parameters: ClassVar[tuple[str, ...]] = (
        "tox_intercept",
        "tox_slope",
        "eff_intercept",
        "eff_slope",
        "eff_curvature",
        "association",
    )

    def __post_init__(self) -> None:
        doses = tuple(sorted(float(d) for d in self.doses))
        if not all(np.isfinite(d) and d > 0 for d in doses):
            raise DoseOptError(
                f"doses {doses}: EffTox takes the logarithm of each dose, so all must be > 0",
                hint="leave placebo out of the candidate doses",
            )
        if len(set(doses)) != len(doses) or len(doses) < 2:
            raise DoseOptError(f"doses {doses}: give at least two, each once")
        for name in self.priors:
            if name not in self.parameters:
                raise DoseOptError(
                    f"EffTox has no parameter '{name}'", hint=did_you_mean(name, self.parameters)
                )
        missing = [name for name in self.parameters if name not in self.priors]
        if missing:
            raise DoseOptError(
                f"EffTox: no prior for {', '.join(missing)}",
                hint="every parameter needs a proper prior",
            )
        priors = {name: self.priors[name] for name in self.parameters}
        if self.monotone_tox:
            priors["tox_slope"] = priors["tox_slope"].positive()
        object.__setattr__(self, "doses", doses)
        object.__setattr__(self, "priors", priors)

    def build(self, data: TrialData) -> pm.Model:
        """Return the PyMC model of these data.

        Registers ``p_cell`` (dose, cell), ``p_tox`` and ``p_eff`` (dose), and the observed nodes
        ``outcomes`` (dose, cell), ``tox_only`` and ``eff_only`` (dose), all from that ``p_cell``.
        """
        import pymc as pm  # noqa: PLC0415
        import pytensor.tensor as pt  # noqa: PLC0415

        cell_count, only_n, only_events = self._counts(data)
        coords = {names.DOSE: np.array(self.doses), names.CELL: list(names.CELLS)}
        with pm.Model(coords=coords) as model:
            log_dose = np.log(np.array(self.doses))
            x = pm.Data("x", log_dose - log_dose.mean(), dims=names.DOSE)
            counts = pm.Data(names.CELL_COUNT, cell_count, dims=(names.DOSE, names.CELL))
            b = {name: prior.build(name) for name, prior in self.priors.items()}

            logit_tox = b["tox_intercept"] + b["tox_slope"] * x
            logit_eff = b["eff_intercept"] + b["eff_slope"] * x + b["eff_curvature"] * x**2
            log_p_cell = log_cells(logit_tox, logit_eff, b["association"])
            p_cell = pm.Deterministic(
                names.P_CELL, pt.exp(log_p_cell), dims=(names.DOSE, names.CELL)
            )
            cell = {letter: p_cell[:, i] for i, letter in enumerate(names.CELLS)}
            p = {
                names.TOX: pm.Deterministic(names.P_TOX, cell["T"] + cell["B"], dims=names.DOSE),
                names.EFF: pm.Deterministic(names.P_EFF, cell["E"] + cell["B"], dims=names.DOSE),
            }
            pm.Multinomial(
                "outcomes",
                n=counts.sum(axis=-1),
                p=p_cell,
                observed=counts,
                dims=(names.DOSE, names.CELL),
            )
            for endpoint, probability in p.items():
                n = pm.Data(f"{endpoint}_only_n", only_n[endpoint], dims=names.DOSE)
                events = pm.Data(f"{endpoint}_only_events", only_events[endpoint], dims=names.DOSE)
                pm.Binomial(
                    f"{endpoint}_only", n=n, p=probability, observed=events, dims=names.DOSE
                )
        return model

    def words(self) -> tuple[str, ...]:
        """Return the model's equations, links and choices, a sentence each."""
        slope = (
            "toxicity cannot fall with dose (slope prior truncated at 0)"
            if self.monotone_tox
            else "toxicity may fall with dose (slope not restricted)"
        )
        return (
            "x = log(dose) - mean of log(candidate doses)",
            "logit p_tox = tox_intercept + tox_slope * x",
            "logit p_eff = eff_intercept + eff_slope * x + eff_curvature * x^2",
            "association: Gumbel-Morgenstern, tanh(association / 2); 0 is independence",
            slope,
        )

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.doses)
        head = f"EffTox: joint toxicity and efficacy at doses {doses} {self.unit}".rstrip()
        width = max(len(name) for name in self.parameters)
        priors = [f"    {name:<{width}}  ~ {prior}" for name, prior in self.priors.items()]
        return "\n".join([head, *(f"  {w}" for w in self.words()), "  priors:", *priors])

    def _counts(
        self, data: TrialData
    ) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Split the data into patients with both outcomes (cells) and with one (events of n)."""
        if len(data.doses) != len(self.doses) or not np.allclose(
            data.doses, self.doses, rtol=1e-6, atol=0
        ):
            raise DoseOptError(
                f"the data have candidate doses {data.doses}, the model {self.doses}",
                hint="read the data with the model's doses, untried ones included",
            )
        if self.unit and data.unit and self.unit != data.unit:
            raise DoseOptError(
                f"the data's doses are in '{data.unit}', the model's in '{self.unit}'",
                hint="give both in one unit",
            )
        known = [e for e in (names.TOX, names.EFF) if e in data.endpoints]
        if not known and data.endpoints:
            raise DoseOptError(
                f"EffTox reads the endpoints tox and eff; the data have {list(data.endpoints)}",
                hint="map a column to tox and a column to eff",
            )
        cells = data.counts[names.CELL_COUNT].transpose(names.DOSE, names.CELL)
        cells = cells.sel({names.CELL: list(names.CELLS)})
        only_n, only_events = {}, {}
        for endpoint, letters in ((names.TOX, ["T", "B"]), (names.EFF, ["E", "B"])):
            if endpoint not in known:
                only_n[endpoint] = only_events[endpoint] = np.zeros(len(self.doses), dtype="int64")
                continue
            chosen = data.counts.sel({names.ENDPOINT: endpoint})
            joint_events = cells.sel({names.CELL: letters}).sum(names.CELL)
            only_n[endpoint] = (chosen[names.N] - cells.sum(names.CELL)).to_numpy()
            only_events[endpoint] = (chosen[names.EVENTS] - joint_events).to_numpy()
        return cells.to_numpy(), only_n, only_events
