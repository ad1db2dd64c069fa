"""The result of an elicitation: priors, what they imply at each dose, and what to watch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from doseopt_bayes import names
from doseopt_bayes.elicit.curve import Curve, beta_ess, logit_normal
from doseopt_bayes.priors import COMPONENTS, PRIORS, Normal, Prior

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Elicited", "as_curves", "as_priors", "implied", "normal"]

DIGITS: Final = 6  # of every number of a prior: what is printed, pasted and sampled is the same


@dataclass(frozen=True, eq=False)
class Elicited:
    """Priors of EffTox found from statements, with what they imply.

    Every number belongs to the priors as they stand in `priors` and is exact to quadrature error
    (below 1e-9): there is no Monte Carlo error. With ``EffTox(monotone_tox=True)`` the prior of the
    toxicity slope is truncated at 0 afterwards, and the numbers for toxicity no longer hold.

    Parameters
    ----------
    priors
        A prior for each parameter of :class:`~doseopt_bayes.models.efftox.EffTox`.
    table
        Over dose and endpoint: prior ``mean``, ``sd``, ``low``, ``median`` and ``high`` of the
        probability (central interval, its probability the attribute ``level``), effective sample size
        ``ess`` in patients, and what was stated.
    notes
        What to know before using them, a sentence each.
    source
        From what they were found.
    """

    priors: Mapping[str, Prior]
    table: xr.Dataset
    notes: tuple[str, ...]
    source: str

    @property
    def ess(self) -> dict[str, float]:
        """Effective sample size reached, in patients: mean over doses, by endpoint."""
        mean = self.table["ess"].mean(names.DOSE)
        return {str(e): float(mean.sel({names.ENDPOINT: e})) for e in mean[names.ENDPOINT].values}

    def to_toml(self) -> str:
        """Return the table ``[model.priors]`` to paste into a specification file."""
        width = max(map(len, self.priors))
        lines = [f"{name:<{width}} = {_inline(prior)}" for name, prior in self.priors.items()]
        return "\n".join(["[model.priors]", f"# {self.source}", *lines, ""])

    def __str__(self) -> str:
        doses = ", ".join(f"{d:g}" for d in self.table[names.DOSE].to_numpy())
        lines = [f"Priors {self.source}, at doses {doses}"]
        for endpoint, ess in self.ess.items():
            here = self.table.sel({names.ENDPOINT: endpoint})
            mean, low, high = (_numbers(here[k].to_numpy()) for k in ("mean", "low", "high"))
            asked = f" (asked {float(here['ess_target']):g})" if "ess_target" in here else ""
            lines += [
                f"  {names.probability(endpoint)}: effective sample size {ess:.3g}{asked}",
                f"    mean       {mean}",
                f"    {self.table.attrs['level']:>4.0%} from  {low}",
                f"         to    {high}",
            ]
        width = max(map(len, self.priors))
        lines += [f"  {name:<{width}}  ~ {prior}" for name, prior in self.priors.items()]
        return "\n".join([*lines, *(f"  note: {n}" for n in self.notes)])


def normal(mean: float, sd: float) -> Normal:
    """Return the Normal prior to the digits that are printed and pasted."""
    return Normal(float(f"{mean:.{DIGITS}g}"), float(f"{sd:.{DIGITS}g}"))


def as_priors(curves: Mapping[str, Curve], association: Prior) -> dict[str, Prior]:
    """Return the curves' priors under the names of EffTox's parameters."""
    priors: dict[str, Prior] = {}
    for endpoint, curve in curves.items():
        for f in fields(curve):
            if getattr(curve, f.name) is not None:
                priors[f"{endpoint}_{f.name}"] = getattr(curve, f.name)
    return {**priors, "association": association}


def as_curves(tox: Curve, eff: Curve) -> dict[str, Curve]:
    """Return the two curves by endpoint, toxicity first as EffTox has its parameters."""
    return {names.TOX: tox, names.EFF: eff}


def implied(
    doses: Sequence[float], x: np.ndarray, curves: Mapping[str, Curve], *, level: float
) -> xr.Dataset:
    """Return what the curves imply for the probability at each dose; see ``Elicited.table``."""
    tail = (1 - level) / 2
    rows = []
    for curve in curves.values():
        mean, sd = logit_normal(*curve.logit(x))
        levels = {"low": tail, "median": 0.5, "high": 1 - tail}
        quantiles = {name: curve.quantile(x, q) for name, q in levels.items()}
        rows.append({"mean": mean, "sd": sd, "ess": beta_ess(mean, sd), **quantiles})
    return xr.Dataset(
        {k: ((names.DOSE, names.ENDPOINT), np.stack([r[k] for r in rows], 1)) for k in rows[0]},
        coords={names.DOSE: list(doses), names.ENDPOINT: list(curves)},
        attrs={"level": level},
    )


def _numbers(values: np.ndarray) -> str:
    return "  ".join(f"{v:.3f}" for v in values)


def _inline(prior: Prior) -> str:
    kind = next(name for name, cls in {**PRIORS, **COMPONENTS}.items() if cls is type(prior))
    given = {f.name: getattr(prior, f.name) for f in fields(prior)}  # type: ignore[arg-type]
    numbers = [f"{k} = {_toml(v)}" for k, v in given.items() if v is not None]
    return f'{{ dist = "{kind}", {", ".join(numbers)} }}'


def _toml(value: Any) -> str:
    """Return a number, a prior, or a list of them, as a specification file has it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return _inline(value) if isinstance(value, Prior) else repr(float(value))
